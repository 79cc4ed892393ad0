// The captions of a data set.
import type { Signal } from "@preact/signals";
import type { DatasetView } from "../../api/schema";
import type { Draft } from "../new/draft";

/** Every picture's caption: edit, replace, describe. `onChanged` is called when a picture's caption was changed. */
export function CaptionTable({ dataset }: { dataset: DatasetView; draft: Signal<Draft>; onChanged: () => void }) {
    return <p>{dataset.id}</p>;
}
