// What the parts of the form share: the draft, what is typed but cannot be a value, and what the plan refused.
import type { Signal } from "@preact/signals";
import { Refused } from "../../api/client";
import type { DatasetView, TrainRequest } from "../../api/schema";
import { change, type Draft } from "../new/draft";
import { withValues, wrongIn } from "./parameters";

/** The form. */
export interface Form {
    draft: Signal<Draft>;
    /** What is typed where a number belongs and is none, by parameter. */
    typed: Signal<Record<string, string>>;
    /** What is wrong, by field: what the schema says of what is filled in now, and what the plan said. */
    wrong: (field: string) => string | undefined;
    /** What the plan took where nothing is filled in. */
    usual: (parameter: string) => string | undefined;
}

/** Puts parameters into a draft. */
export function setParameters(draft: Signal<Draft>, part: Record<string, unknown>): void {
    change(draft, { parameters: withValues(draft.peek().parameters, part) });
}

/** What is wrong with what is filled in, by field. */
export function wrongs({ parameters }: Draft, typed: Record<string, string>, notNumber: string): Map<string, string> {
    const wrong = new Map([...wrongIn(parameters)].map(([name, why]) => [`parameters.${name}`, why]));
    for (const name of Object.keys(typed)) {
        wrong.set(`parameters.${name}`, notNumber);
    }
    return wrong;
}

/** The field and words of a refusal that means one. */
export function refusal(error: unknown): { field: string; words: string } | undefined {
    const problem = error instanceof Refused ? error.problem : undefined;
    return problem?.field ? { field: problem.field, words: problem.detail } : undefined;
}

/** What a draft asks for; undefined while something that it needs is not there. */
export function requestOf(dataset: DatasetView, { name, mode, base, parameters, install, courtesy, continueFrom }: Draft): TrainRequest | undefined {
    if (!name.trim() || !mode || !base) {
        return undefined;
    }
    return {
        dataset: dataset.id,
        name: name.trim(),
        mode,
        base,
        vae: null,
        prediction: null,
        parameters,
        continue_from: continueFrom,
        recipe_from: null,
        priority: 0,
        install: install ?? ["all"],
        courtesy,
    };
}
