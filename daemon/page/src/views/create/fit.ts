// Whether what is chosen fits together, before time is spent on it.
import type { BaseFamily, ConceptView, ModelView } from "../../api/schema";
import { fill } from "../../format";
import type { Weight } from "../../parts/notice";
import { text } from "../../text";
import { applied, type Draft } from "./draft";
import { familyOf, models, titleOf } from "./library";

/** Something to know. */
export interface Finding {
    kind?: Weight;
    words: string;
    /** Whether it cannot work. */
    stops?: boolean;
}

/** The checkpoint that was chosen, or the first concept's own, if it is among the models. */
export function baseOf({ base }: Draft): ModelView | undefined {
    const first = applied.value[0];
    return models.value?.find(({ name, path, sha256 }) => (base === null ? first?.base_sha256 && sha256 === first.base_sha256 : name === base || path === base));
}

/** The family that is drawn with. */
export function familyIn(draft: Draft): BaseFamily | null | undefined {
    return baseOf(draft)?.family ?? (draft.base === null ? applied.value[0]?.family : undefined);
}

/** What speaks against it. */
export function findingsOf(draft: Draft): Finding[] {
    const words = text.create.fit;
    const known = models.value;
    const [first] = applied.value;
    if (!known) {
        return [];
    }
    if (draft.base === null && !first) {
        return [known.length ? { words: words.noBase, stops: true } : { kind: "warn", words: words.noModels, stops: true }];
    }
    const base = baseOf(draft);
    const found: Finding[] = [];
    if (!base) {
        const unread = known.some(({ sha256 }) => !sha256);
        const absent = draft.base === null ? (unread ? words.unread : words.ownGone) : words.baseGone;
        const stops = draft.base !== null || !unread;
        found.push({ kind: stops ? "bad" : "warn", stops, words: fill(absent, { concept: first ? titleOf(first) : "", base: draft.base ?? "" }) });
    }
    const family = familyIn(draft);
    for (const concept of applied.value) {
        const finding = misfit(concept, family, base, first);
        if (finding) {
            found.push(finding);
        }
    }
    return found;
}

function misfit(concept: ConceptView, family: BaseFamily | null | undefined, base: ModelView | undefined, first: ConceptView | undefined): Finding | undefined {
    const words = text.create.fit;
    const names = { concept: titleOf(concept), made: familyOf(concept.family), base: base?.name ?? (first ? titleOf(first) : ""), family: familyOf(family) };
    if (family && concept.family !== family) {
        return { kind: "bad", stops: true, words: fill(words.family, names) };
    }
    const digest = base ? base.sha256 : first?.base_sha256;
    if (!digest || !concept.base_sha256 || digest === concept.base_sha256) {
        return undefined;
    }
    if (concept.base_nonstandard || base?.nonstandard) {
        return { kind: "bad", stops: true, words: fill(words.nonstandard, names) };
    }
    return { kind: "warn", words: fill(words.other, names) };
}
