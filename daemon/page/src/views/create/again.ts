// Making more of what was made.
import type { CreationView } from "../../api/schema";
import { count } from "../../format";
import { toast } from "../../parts/notice";
import { text } from "../../text";
import { refill } from "./draft";
import { make } from "./history";
import { keptFor, takeBack } from "./start";

/** Asks for the same with another seed, or, where nothing came of it, for the very same. */
export async function again({ id, request, state }: CreationView): Promise<CreationView> {
    const blob = await keptFor(id);
    const made = await make(request, state === "done" ? null : request.seed, blob ? { id, blob, url: "" } : null);
    toast(text.create.again);
    return made;
}

/** Fills the form with what a creation was made with. */
export async function fillLike({ id, request }: CreationView, seed = request.seed): Promise<void> {
    const gone = refill(request, seed);
    await takeBack(id);
    toast(gone ? count(gone, text.create.refilledWithout) : text.create.refilled);
    document.querySelector(".create-form")?.scrollIntoView({ block: "start" });
}
