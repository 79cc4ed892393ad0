// Deleting a creation.
import { ask, DELETE, isGone } from "../../api/client";
import type { CreationView } from "../../api/schema";
import { toast } from "../../parts/notice";
import { text } from "../../text";
import { drop } from "./history";

/** Deletes it; that it is gone already is as good. */
export async function erase({ id }: CreationView): Promise<void> {
    try {
        await ask(DELETE("/v1/creations/{id}", { params: { path: { id } } }));
    } catch (error) {
        if (!isGone(error)) {
            throw error;
        }
    }
    drop(id);
    toast(text.create.large.erased);
}
