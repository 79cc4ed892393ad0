// Deleting a creation.
import { ask, DELETE, Refused } from "../../api/client";
import type { CreationView } from "../../api/schema";
import { toast } from "../../parts/notice";
import { text } from "../../text";
import { drop } from "./history";

/** Deletes it; that it is gone already is as good. */
export async function erase({ id }: CreationView): Promise<void> {
    try {
        await ask(DELETE("/v1/creations/{id}", { params: { path: { id } } }));
    } catch (error) {
        if (!(error instanceof Refused && error.problem.status === 404)) {
            throw error;
        }
    }
    drop(id);
    toast(text.create.large.erased);
}
