// What a captioner is asked, and how far it is.
import type { Signal } from "@preact/signals";
import { useMemo, useState } from "preact/hooks";
import { ask, GET } from "../../api/client";
import type { VisionModel } from "../../api/schema";
import { count, fill } from "../../format";
import { Button, Segments } from "../../parts/button";
import { Coded, Command } from "../../parts/code";
import { Dialog } from "../../parts/dialog";
import { Check, SelectField, TextField } from "../../parts/field";
import { Failure, Notice, Progress } from "../../parts/notice";
import { onePerName, stored } from "../../state/stored";
import { useAsked } from "../../state/use";
import { text } from "../../text";
import { change, type Draft } from "../new/draft";
import type { Book, Entry } from "./book";
import { useDescribing } from "./describing";
import { originOf } from "./filter";

const words = text.captions.describe;

/** What a captioner is asked beside what a training is; kept by this browser. */
export interface Manner {
    tags: boolean;
    /** With commas. */
    leaveOut: string;
    rewrite: boolean;
}

/** How pictures of a data set are described. */
export const mannerOf = onePerName((dataset) => stored<Manner>(`describe.${dataset}`, { tags: false, leaveOut: "", rewrite: false }));

/** The words of a list with commas. */
export function listed(words: string): string[] {
    return words.split(",").map((word) => word.trim()).filter(Boolean);
}

/** Captions by a captioner. */
export function Describe({ book, draft, entries, chosen }: { book: Book; draft: Signal<Draft>; entries: Entry[]; chosen: Entry[] }) {
    const { data, error, again } = useAsked(() => ask(GET("/v1/captioners")), []);
    const endpoint = useEndpoint();
    const describing = useDescribing(book);
    const [own, askAbout] = useState<Entry[] | null>(null);
    const manner = mannerOf(book.dataset);
    const { mode, name, parameters } = draft.value;
    const usable = data?.items.filter(({ purpose, problem }) => !problem && (purpose === "captioner" || purpose === "tagger")) ?? [];
    void book.settled.value;
    const missing = entries.filter((entry) => !entry.typed.peek().trim());
    const able = usable.length > 0 || endpoint;

    const run = (asked: Entry[], anew: boolean, replace: boolean) => {
        askAbout(null);
        if (!mode || asked.length === 0) {
            return;
        }
        const { tags, leaveOut, rewrite } = manner.peek();
        const request = {
            mode,
            name,
            captioner: usable.some(({ id }) => id === parameters.captioner) ? parameters.captioner ?? null : "auto",
            class_word: mode === "object" && parameters.class_word ? parameters.class_word : null,
            again: anew,
            tags,
            rewrite: rewrite && endpoint,
            leave_out: listed(leaveOut),
            pictures: anew ? asked.map((entry) => entry.picture) : [],
        };
        void describing.run(request, asked, replace);
    };
    const describeAgain = () => {
        const mine = chosen.filter((entry) => ["edited", "beside"].includes(originOf(entry)));
        if (mine.length > 0) {
            askAbout(mine);
        } else {
            run(chosen, true, false);
        }
    };

    return (
        <section class="stack caption-panel">
            <h3>{words.title}</h3>
            <Failure error={error} again={() => void again()} />
            {data && !able && <NoCaptioner again={() => void again()} />}
            {able && (
                <>
                    <p class="soft small">{words.about}</p>
                    <Options draft={draft} manner={manner} usable={usable} endpoint={endpoint} />
                    {!mode && <Notice kind="warn">{words.needsMode}</Notice>}
                    {describing.going ? (
                        <Going looked={describing.looked} of={describing.of ?? entries.length} onStop={() => void describing.stop()} />
                    ) : (
                        <div class="row">
                            {missing.length > 0 ? (
                                <Button kind="main" disabled={!mode} onClick={() => run(missing, false, false)}>{count(missing.length, words.missing)}</Button>
                            ) : (
                                <span class="soft small">{chosen.length > 0 ? words.noneMissing : words.noneMissingAgain}</span>
                            )}
                            {chosen.length > 0 && <Button disabled={!mode} onClick={describeAgain}>{count(chosen.length, words.again)}</Button>}
                        </div>
                    )}
                </>
            )}
            <Failure error={describing.error} />
            {describing.outcome && !describing.going && (
                <Notice kind={describing.outcome.described > 0 ? "good" : "warn"}>
                    {describing.outcome.described > 0 ? count(describing.outcome.described, words.done) : words.doneNone}
                    {describing.outcome.notes.map((note) => <div key={note} class="small"><Coded>{note}</Coded></div>)}
                </Notice>
            )}
            {data && <Broken items={data.items.filter(({ problem }) => problem)} />}
            {own && (
                <Dialog
                    title={count(own.length, words.own)}
                    onClose={() => askAbout(null)}
                    foot={
                        <>
                            <Button onClick={() => run(chosen, true, true)}>{words.ownReplace}</Button>
                            <Button kind="main" disabled={own.length === chosen.length} onClick={() => run(chosen.filter((entry) => !own.includes(entry)), true, false)}>{words.ownKeep}</Button>
                        </>
                    }
                >
                    <p>{words.ownAbout}</p>
                </Dialog>
            )}
        </section>
    );
}

function Options({ draft, manner, usable, endpoint }: { draft: Signal<Draft>; manner: Signal<Manner>; usable: VisionModel[]; endpoint: boolean }) {
    const { mode, parameters } = draft.value;
    const { tags, leaveOut, rewrite } = manner.value;
    const set = (part: Partial<Manner>) => (manner.value = { ...manner.peek(), ...part });
    const choose = (part: Partial<Draft["parameters"]>) => {
        const kept = Object.entries({ ...parameters, ...part }).filter(([, value]) => value !== undefined && value !== "");
        change(draft, { parameters: Object.fromEntries(kept) });
    };
    const choices = useMemo(() => {
        const purpose = (name: string) => (name === "tagger" ? words.purpose.tagger : words.purpose.captioner);
        return [["auto", words.auto] as const, ...usable.map(({ id, purpose: of }) => [id, fill(words.option, { id, purpose: purpose(of) })] as const)];
    }, [usable.map(({ id }) => id).join("\n")]);
    return (
        <div class="caption-options">
            <SelectField label={words.captioner} value={choices.some(([id]) => id === parameters.captioner) ? parameters.captioner ?? "auto" : "auto"} choices={choices} onChange={(captioner) => choose({ captioner: captioner === "auto" ? undefined : captioner })} />
            <div class="field">
                <span class="label">{words.form}</span>
                <div><Segments label={words.form} value={tags ? "tags" : "sentences"} choices={[["sentences", words.sentences], ["tags", words.tags]]} onChange={(form) => set({ tags: form === "tags" })} /></div>
                <div class="hint">{words.formHint}</div>
            </div>
            {mode === "object" && <TextField label={words.classWord} hint={words.classHint} value={parameters.class_word ?? ""} maxLength={100} autocomplete="off" onInput={(classWord) => choose({ class_word: classWord })} />}
            <TextField label={words.leaveOut} hint={words.leaveHint} placeholder={words.leaveExample} value={leaveOut} autocomplete="off" onInput={(leaveOut) => set({ leaveOut })} />
            {endpoint && <Check label={words.rewrite} checked={rewrite} onChange={(rewrite) => set({ rewrite })} />}
        </div>
    );
}

function Going({ looked, of, onStop }: { looked: number; of: number; onStop: () => void }) {
    return (
        <div class="stack" role="status">
            <div class="row apart">
                <span class="number">{fill(words.going, { n: looked, all: Math.max(of, looked) })}</span>
                <Button little icon="stop" onClick={onStop}>{words.stop}</Button>
            </div>
            <Progress label={words.progress} share={looked > 0 ? looked / Math.max(of, looked) : undefined} />
        </div>
    );
}

function NoCaptioner({ again }: { again: () => void }) {
    return (
        <>
            <p>{words.no}</p>
            <Command>{words.command}</Command>
            <div class="row apart">
                <p class="soft small">{words.noHint}</p>
                <Button little onClick={again}>{words.look}</Button>
            </div>
        </>
    );
}

function Broken({ items }: { items: VisionModel[] }) {
    if (items.length === 0) {
        return null;
    }
    return (
        <details>
            <summary class="soft small">{words.broken}</summary>
            <ul class="small">{items.map(({ id, problem }) => <li key={id} class="wrap"><strong>{id}</strong>: {problem}</li>)}</ul>
        </details>
    );
}

/** Whether a server is set up that describes pictures. */
function useEndpoint(): boolean {
    const { data } = useAsked(() => ask(GET("/v1/settings")), []);
    return Boolean(data?.items.find(({ name }) => name === "caption_endpoint")?.value);
}
