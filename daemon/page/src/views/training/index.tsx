// Training: all of them, or one.
import { Queue } from "./queue";
import { Job } from "./job";
import "./training.css";

/** The view; `rest` names a job. */
export function Training({ rest: [id] }: { rest: string[] }) {
    return id ? <Job key={id} id={id} /> : <Queue />;
}
