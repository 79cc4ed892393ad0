// A prompt as ComfyUI and A1111 want it.
import { ask, POST } from "../../api/client";
import type { ApplyConcept, PromptTarget } from "../../api/schema";
import { fill, number } from "../../format";
import { Copy } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { Failure, Loading } from "../../parts/notice";
import { useAsked } from "../../state/use";
import { text } from "../../text";

const words = text.create.hosts;

/** What is asked: a prompt and the concepts that were chosen for it. */
export interface Asking {
    prompt: string;
    concepts: ApplyConcept[];
}

/** Both, each to be copied. */
export function HostPrompts({ asking, onClose }: { asking: Asking; onClose: () => void }) {
    return (
        <Dialog title={words.title} onClose={onClose}>
            <div class="stack">
                <HostPrompt asking={asking} host="comfyui" />
                <HostPrompt asking={asking} host="a1111" />
            </div>
        </Dialog>
    );
}

function HostPrompt({ asking: { prompt, concepts }, host }: { asking: Asking; host: PromptTarget }) {
    const { data, error, again } = useAsked(() => ask(POST("/v1/prompts", { body: { text: prompt, host, concepts } })), [prompt, host]);
    return (
        <section class="stack create-host" aria-label={words.names[host]}>
            <div class="row apart">
                <h3>{words.names[host]}</h3>
                {data && <Copy value={data.text}>{fill(words.copy, { host: words.names[host] })}</Copy>}
            </div>
            {!data && !error && <Loading />}
            <Failure error={error} again={() => void again()} />
            {data && <pre class="create-code">{data.text}</pre>}
            {data && data.loras.length > 0 && (
                <p class="small soft">
                    {words.loras}{" "}
                    {data.loras.map(({ concept, strength }) => `${concept} (${number(strength)})`).join(", ")}
                </p>
            )}
        </section>
    );
}
