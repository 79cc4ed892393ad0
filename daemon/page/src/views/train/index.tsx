// From a draft to a training: base, parameters, plan, start.
import type { Signal } from "@preact/signals";
import type { DatasetView } from "../../api/schema";
import type { Draft } from "../new/draft";

/** Base, parameters, the plan, and the button. `revision` changes with the data set's pictures and captions. */
export function TrainForm({ dataset, revision }: { dataset: DatasetView; draft: Signal<Draft>; revision: number }) {
    return <p>{dataset.id} {revision}</p>;
}
