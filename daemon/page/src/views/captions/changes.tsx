// What was done to words, so that it can be seen: struck through what went, underlined what came.
import { text } from "../../text";
import { difference } from "./replace";

/** The difference of two texts. */
export function Changes({ from, to }: { from: string; to: string }) {
    return (
        <p class="caption-changes wrap">
            {difference(from, to).map(({ kind, space, text: words }, at) => {
                if (kind === "same") {
                    return `${space}${words}`;
                }
                const [Mark, said] = kind === "put" ? (["ins", text.captions.put] as const) : (["del", text.captions.left] as const);
                return [
                    space,
                    <Mark key={at}>
                        <span class="hide-visually">[{said}: </span>
                        {words}
                        <span class="hide-visually">]</span>
                    </Mark>,
                ];
            })}
        </p>
    );
}
