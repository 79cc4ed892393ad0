// The page of one concept: what it is, what can be done with it, and its parts.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { ask, GET, isGone } from "../../api/client";
import { allConcepts, allModels } from "../../api/library";
import type { ConceptView } from "../../api/schema";
import { count, fill, when } from "../../format";
import { Back, Head } from "../../parts/head";
import { Failure, Loading, Notice } from "../../parts/notice";
import { to } from "../../router";
import { useAsked, type Asked } from "../../state/use";
import { text } from "../../text";
import { Actions, Uses } from "./actions";
import { Call } from "./call";
import { Checkpoints } from "./checkpoints";
import { Details } from "./details";
import { Installs } from "./installs";
import { Preview } from "./preview";
import { SnapshotGrid } from "./snapshots";
import { VersionTable } from "./versions";

const words = text.concepts.one;
const REFRESH_MS = 15_000;

/** What the parts of the page are given. */
export interface Shown {
    concept: ConceptView;
    /** Puts in what the daemon answered to a change. */
    set: (concept: ConceptView) => void;
    again: () => Promise<void>;
}

/** `#/concepts/ID` and `#/concepts/ID/PART`. */
export function ConceptPage({ id, part = "use" }: { id: string; part?: string | undefined }) {
    const asked = useAsked(() => ask(GET("/v1/concepts/{id}", { params: { path: { id } } })), [id], REFRESH_MS);
    return (
        <>
            <Back to={to(["concepts"])}>{words.back}</Back>
            {!asked.data && <Head title={text.concepts.title} />}
            {isGone(asked.error) ? <Notice>{words.gone}</Notice> : <Failure error={asked.error} again={() => void asked.again()} />}
            {asked.data ? <One {...asked} concept={asked.data} part={part} /> : !asked.error && <Loading />}
        </>
    );
}

function One({ concept, set, again, part }: Asked<ConceptView> & { concept: ConceptView; part: string }) {
    const { data: concepts } = useAsked(allConcepts, [concept.id, concept.name], 2 * REFRESH_MS);
    const { data: models } = useAsked(allModels, [], 2 * REFRESH_MS);
    const versions = concepts?.filter(({ name }) => name === concept.name) ?? [];
    const shown = { concept, set, again };
    const tabs = useRef<HTMLElement>(null);
    useEffect(() => {
        // On a narrow screen they do not all fit.
        tabs.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
    }, [part]);
    const drawable = models?.some(({ sha256 }) => sha256 && sha256 === concept.base_sha256) ?? true;
    const noBase = !drawable && <Notice kind="warn">{words.baseGone}</Notice>;
    return (
        <>
            <Head title={concept.name}><Uses {...shown} /></Head>
            {part === "use" ? (
                <div class="card concepts-top">
                    <Preview concept={concept} />
                    <div class="stack">
                        <Facts concept={concept} versions={versions} />
                        <Actions {...shown} />
                    </div>
                </div>
            ) : (
                <Brief concept={concept} />
            )}
            <nav class="concepts-tabs" aria-label={words.sections} ref={tabs}>
                {Object.entries(words.tabs).map(([name, label]) => (
                    <a key={name} href={to(name === "use" ? ["concepts", concept.id] : ["concepts", concept.id, name])} aria-current={name === part ? "page" : undefined}>{label}</a>
                ))}
            </nav>
            <div class="stack">
                {part === "use" && <><Call {...shown} /><Installs {...shown} /></>}
                {part === "snapshots" && <>{noBase}<SnapshotGrid concept={concept} concepts={concepts} /></>}
                {part === "versions" && <>{noBase}<VersionTable concept={concept} concepts={concepts} /></>}
                {part === "checkpoints" && <Checkpoints concept={concept} models={models} />}
                {part === "details" && <Details concept={concept} models={models} />}
                {!(part in words.tabs) && <p>{text.app.notFound}</p>}
            </div>
        </>
    );
}

/** The same in a line, where something else needs the room. */
function Brief({ concept }: { concept: ConceptView }) {
    const { mode, family, version, step } = concept;
    const facts = [text.modes[mode], text.families[family], fill(text.concepts.version, { n: version }), ...(step == null ? [] : [fill(words.stepValue, { step })])];
    return (
        <div class="concepts-brief">
            <Preview concept={concept} />
            <span class="soft">{facts.join(" · ")}</span>
        </div>
    );
}

function Facts({ concept, versions }: { concept: ConceptView; versions: ConceptView[] }) {
    const { mode, family, step, tokens, verdict, stem, source, created_at_ms, version } = concept;
    return (
        <dl class="definition">
            <Fact name={text.concepts.mode}>{text.modes[mode]}</Fact>
            <Fact name={text.concepts.family}>{text.families[family]}</Fact>
            <Fact name={words.version}>
                {versions.length > 1
                    ? <span class="row">{versions.map((other) => other.id === concept.id ? <strong key={other.id}>{version}</strong> : <a key={other.id} href={to(["concepts", other.id])} aria-label={fill(text.concepts.version, { n: other.version })}>{other.version}</a>)}</span>
                    : version}
            </Fact>
            {step != null && <Fact name={words.step}>{fill(words.stepValue, { step })}</Fact>}
            <Fact name={words.tokens}>{count(tokens, words.tokenCount)}</Fact>
            {verdict && <Fact name={words.verdict}>{verdict}</Fact>}
            <Fact name={words.files}><code>{stem}</code></Fact>
            <Fact name={words.made}>{fill(words[source], { when: when(created_at_ms) })}</Fact>
        </dl>
    );
}

/** A line of a list of facts. */
export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
    return <><dt>{name}</dt><dd>{children}</dd></>;
}
