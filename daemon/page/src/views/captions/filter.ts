// Which captions are shown.
import type { Entry } from "./book";
import { MOST_TOKENS, names, tidy, tokens } from "./words";

/** What captions can be sorted out by. */
export const KINDS = ["all", "empty", "nameless", "long", "edited", "beside", "model"] as const;
export type Kind = (typeof KINDS)[number];

/** Who a caption is by: also after it was put back by hand, a captioner's words are its own. */
export function originOf({ view: { value: view }, typed }: Entry): "edited" | "beside" | "model" | "nobody" {
    const text = tidy(typed.value);
    if (!text) {
        return "nobody";
    }
    if (text === view.described?.text) {
        return "model";
    }
    return text === view.text && view.origin !== "nobody" ? view.origin : "edited";
}

/** Whether a caption is of a kind. */
export function isOf(entry: Entry, kind: Kind, concept: RegExp): boolean {
    const text = entry.typed.value;
    switch (kind) {
        case "all":
            return true;
        case "empty":
            return !text.trim();
        case "nameless":
            return text.trim() !== "" && !names(text, concept);
        case "long":
            // Short ones need not be counted.
            return text.length > MOST_TOKENS * 2 && tokens(text, concept) > MOST_TOKENS;
        case "edited":
        case "beside":
        case "model":
            return originOf(entry) === kind;
    }
}
