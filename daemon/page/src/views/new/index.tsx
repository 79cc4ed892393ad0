// From pictures to a training: first the pictures, then everything about them on one page.
import { DatasetPage } from "./dataset";
import "./new.css";
import { Start } from "./start";

/** `#/new`, and `#/new/DATASET`. */
export function NewConcept({ rest: [dataset] }: { rest: string[] }) {
    return dataset ? <DatasetPage key={dataset} id={dataset} /> : <Start />;
}
