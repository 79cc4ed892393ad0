// How a concept is called in prompts of every host.
import { useState } from "preact/hooks";
import { ask, PATCH, POST } from "../../api/client";
import type { PromptTarget, PromptView } from "../../api/schema";
import { fill } from "../../format";
import { Copy } from "../../parts/button";
import { Check, Field, TextField } from "../../parts/field";
import { Failure, toastError } from "../../parts/notice";
import { useAction, useAsked, useQuiet } from "../../state/use";
import { text } from "../../text";
import type { Shown } from "./concept";
import { numbersOf, promptOf } from "./draw/form";
import { kept } from "./kept";

const words = text.concepts.call;
const QUIET_MS = 250;
const hosts: [PromptTarget, string][] = [["comfyui", words.comfyui], ["a1111", words.a1111]];

/** A prompt as a person says it, as each host wants it, and whether the bare name calls. */
export function Call(shown: Shown) {
    const { concept: { id, name, mode, installs } } = shown;
    const typed = kept(`prompt.${id}`, promptOf(mode).replace("<concept>", name));
    const [strength, setStrength] = useState("1");
    const factor = numbersOf(strength, -4, 4, false)[0] ?? 1;
    const quiet = useQuiet(typed.value.trim(), QUIET_MS);
    const { data, error } = useAsked(
        async () => quiet ? Promise.all(hosts.map(([host]) => ask(POST("/v1/prompts", { body: { text: quiet, host, concepts: [{ concept: id, strength: factor }] } })))) : null,
        // Where a name was taken, its files are called otherwise than in the library.
        [quiet, factor, id, name, installs.map(({ stem }) => stem).join(" ")],
    );
    const [last, setLast] = useState<PromptView[]>([]);
    if (data && data !== last) {
        // While the next answer is on its way the last one stays, so that nothing jumps.
        setLast(data);
    }
    const uncalled = quiet && last[0] && !last[0].called.includes(id);
    return (
        <section class="card stack">
            <h2>{words.title}</h2>
            <p class="soft">{words.about}</p>
            <div class="concepts-call">
                <Field label={words.prompt} hint={fill(words.hint, { name })}>
                    {(inside) => <textarea {...inside} rows={2} maxLength={10_000} value={typed.value} onInput={(event) => (typed.value = event.currentTarget.value)} />}
                </Field>
                <TextField label={words.strength} hint={words.strengthHint} type="number" min={-4} max={4} step={0.05} value={strength} onInput={setStrength} />
            </div>
            <Failure error={error} />
            {uncalled && <p class="concepts-warn small">{fill(words.uncalled, { name })}</p>}
            {quiet && <div class="concepts-two">{hosts.map(([host, label], at) => <Expanded key={host} label={label} view={last[at]} />)}</div>}
            <Bare {...shown} />
        </section>
    );
}

function Expanded({ label, view }: { label: string; view: PromptView | undefined }) {
    return (
        <div class="concepts-expanded">
            <div class="row apart">
                <h3>{label}</h3>
                {view && <Copy value={view.text}>{text.common.copy}<span class="hide-visually">: {label}</span></Copy>}
            </div>
            <pre>{view?.text ?? " "}</pre>
            <div class="soft small">
                {view?.loras.length ? words.loader : words.paste}
                {view?.loras.map(({ concept, strength }) => <div key={concept}><code>{fill(words.atStrength, { file: concept, strength })}</code></div>)}
            </div>
        </div>
    );
}

function Bare({ concept: { id, name, bare_name }, set }: Shown) {
    const { run, busy } = useAction(async (on: boolean) => {
        try {
            set(await ask(PATCH("/v1/concepts/{id}", { params: { path: { id } }, body: { name: null, bare_name: on } })));
        } catch (error) {
            toastError(error);
        }
    });
    return <Check label={words.bare} hint={fill(words.bareHint, { name })} checked={bare_name} disabled={busy} onChange={(on) => void run(on)} />;
}
