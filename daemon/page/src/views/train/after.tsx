// What happens around a training: what it begins with, where its concept goes, how it shares the card.
import { ask, GET } from "../../api/client";
import { allConcepts } from "../../api/library";
import type { ConceptView, Courtesy, ModelView } from "../../api/schema";
import { fill } from "../../format";
import { Check, SelectField } from "../../parts/field";
import { Failure } from "../../parts/notice";
import { to } from "../../router";
import { useAsked } from "../../state/use";
import { text } from "../../text";
import { change } from "../new/draft";
import { type Form, setParameters } from "./form";
import { parameterOf } from "./parameters";

/** Hosts that get the concept. */
export function Hosts({ form }: { form: Form }) {
    const words = text.train.after;
    const { data, error, again } = useAsked(() => ask(GET("/v1/hosts")), []);
    const { install } = form.draft.value;
    const hosts = data?.items ?? [];
    const chosen = new Set(install ?? hosts.map(({ id }) => id));
    const choose = (id: string, yes: boolean) => {
        const now = hosts.map((host) => host.id).filter((host) => (host === id ? yes : chosen.has(host)));
        // All of them is also those that become known later.
        change(form.draft, { install: now.length === hosts.length ? null : now });
    };
    const wrong = form.wrong("install");
    return (
        <fieldset class="field train-hosts">
            <legend class="label">{words.hosts}</legend>
            <Failure error={error} again={() => void again()} />
            {hosts.map(({ id, kind, folder }) => <Check key={id} label={text.hosts[kind]} hint={<span class="wrap">{folder}</span>} checked={chosen.has(id)} onChange={(yes) => choose(id, yes)} />)}
            {hosts.length > 0 && <div class="hint">{words.hostsHint}</div>}
            {data && hosts.length === 0 && <p class="hint">{words.noHosts} <a href={to(["settings"])}>{words.findHosts}</a></p>}
            {wrong && <div class="wrong" role="alert">{wrong}</div>}
        </fieldset>
    );
}

/** How the card is shared. */
export function Card({ form }: { form: Form }) {
    const words = text.train.card;
    const usual = useUsual();
    const choices = [["", usual ? fill(words.usualIs, { words: words.words[usual] }) : words.usual] as const, ...COURTESIES.map((courtesy) => [courtesy, words[courtesy]] as const)];
    return <SelectField label={words.label} value={form.draft.value.courtesy ?? ""} choices={choices} wrong={form.wrong("courtesy")} onChange={(value) => change(form.draft, { courtesy: COURTESIES.find((one) => one === value) ?? null })} />;
}

const COURTESIES: readonly Courtesy[] = ["polite", "share", "exclusive"];

/** What the daemon does unless it is told otherwise: what is set, else what its device makes sensible. */
function useUsual(): Courtesy | undefined {
    const { data } = useAsked(async () => ({ settings: await ask(GET("/v1/settings")), version: await ask(GET("/v1/version")) }), []);
    if (!data) {
        return undefined;
    }
    const set = data.settings.items.find(({ name }) => name === "courtesy")?.value;
    return COURTESIES.find((one) => one === set) ?? (data.version.device === "cpu" ? "share" : "polite");
}

/** A concept to go on with; those of other kinds of bases cannot be. */
export function From({ form, model }: { form: Form; model: ModelView | undefined }) {
    const words = text.train.from;
    const { data, error, again } = useAsked(allConcepts, []);
    const { continueFrom, parameters } = form.draft.value;
    const fits = (concept: ConceptView) => !model || (concept.family === model.family && concept.base_nonstandard === model.nonstandard && (!model.nonstandard || !model.sha256 || concept.base_sha256 === model.sha256));
    const concepts = data?.filter((concept) => fits(concept) || concept.id === continueFrom) ?? [];
    if (data && concepts.length === 0 && !continueFrom) {
        return null;
    }
    const usual = Number(parameterOf("token_count")?.usual);
    const choose = (id: string) => {
        const concept = concepts.find((concept) => concept.id === id);
        change(form.draft, { continueFrom: concept?.id ?? null });
        if (concept && concept.tokens !== (parameters.token_count ?? usual)) {
            // It cannot learn on with another number.
            setParameters(form.draft, { token_count: concept.tokens });
        }
    };
    const chosen = concepts.find((concept) => concept.id === continueFrom);
    const choices = concepts.map(({ id, name, version, mode }) => [id, fill(words.option, { name, version, mode: text.modes[mode] })] as const);
    const gone = continueFrom && !chosen ? [[continueFrom, continueFrom] as const] : [];
    const hint = chosen && parameters.token_count === chosen.tokens && chosen.tokens !== usual ? fill(words.tokens, { n: chosen.tokens }) : words.hint;
    return (
        <>
            <Failure error={error} again={() => void again()} />
            <SelectField label={words.label} hint={hint} wrong={form.wrong("continue_from")} value={continueFrom ?? ""} choices={[["", words.none], ...gone, ...choices]} onChange={choose} />
        </>
    );
}
