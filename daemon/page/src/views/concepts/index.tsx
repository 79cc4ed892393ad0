// The library: all concepts, one of them, and the trash.
import "./concepts.css";
import { ConceptPage } from "./concept";
import { Gallery } from "./gallery";
import { TrashPage } from "./trash";

/** `#/concepts`, `#/concepts/trash`, `#/concepts/ID` and the parts of that page. */
export function Concepts({ rest: [id, part] }: { rest: string[] }) {
    if (id === undefined) {
        return <Gallery />;
    }
    return id === "trash" ? <TrashPage /> : <ConceptPage key={id} id={id} part={part} />;
}
