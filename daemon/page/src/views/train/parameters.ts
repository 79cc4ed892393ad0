// The parameters of a training as their schema tells them, so that a new one needs no line here.
import document from "../../../../../schemas/parameters.json";
import type { Parameters } from "../../api/schema";
import { fill, number } from "../../format";
import { text } from "../../text";

/** What of JSON Schema the parameters use. */
interface Schema {
    description?: string;
    type?: string | string[];
    const?: string;
    anyOf?: Schema[];
    oneOf?: Schema[];
    $ref?: string;
    items?: Schema;
    minimum?: number;
    maximum?: number;
    multipleOf?: number;
    minLength?: number;
    maxLength?: number;
    maxItems?: number;
    "x-unit"?: string;
    "x-default"?: unknown;
}

/** What a parameter takes. */
export type Takes =
    | { kind: "number"; whole: boolean; least: number; most: number; of: number | undefined; word: string | undefined }
    | { kind: "choice"; choices: { value: string; help: string }[] }
    | { kind: "yes" }
    | { kind: "words"; most: number }
    | { kind: "lines"; most: number; longest: number };

/** A parameter. */
export interface Parameter {
    name: string;
    label: string;
    help: string;
    /** The default in words, where the schema names one. */
    usual: string | undefined;
    unit: string | undefined;
    group: Group;
    takes: Takes;
}

/** The groups, in the order in which they are shown. */
export const GROUPS = ["length", "pictures", "captions", "lora", "tokens", "optimisation", "samples", "other"] as const;
export type Group = (typeof GROUPS)[number];

const grouped: Record<Exclude<Group, "other">, string[]> = {
    length: ["steps", "time_budget", "save_every"],
    pictures: ["resolution", "batch_size", "crop", "mask", "random_flip"],
    captions: ["captioner", "class_word", "caption_dropout"],
    lora: ["lora_rank", "lora_alpha", "lora_targets", "lora_text_encoder"],
    tokens: ["token_count", "token_init"],
    optimisation: ["recipe", "optimizer", "learning_rate", "token_learning_rate", "snr_gamma", "noise_offset", "seed", "base_bits"],
    samples: ["sample_every", "sample_prompt"],
};

const { properties, $defs } = document as unknown as { properties: Record<string, Schema>; $defs: Record<string, Schema> };

/** All of them, by group. */
export const parameters: Parameter[] = Object.entries(properties)
    .map(([name, schema]) => read(name, schema))
    .sort((a, b) => place(a) - place(b));

const byName = new Map(parameters.map((parameter) => [parameter.name, parameter]));

/** The parameter of a name. */
export function parameterOf(name: string): Parameter | undefined {
    return byName.get(name);
}

function place({ group, name }: Parameter): number {
    const within = group === "other" ? 0 : grouped[group].indexOf(name);
    return GROUPS.indexOf(group) * 100 + within;
}

function read(name: string, schema: Schema): Parameter {
    const description = (schema.description ?? "").replace(/\s+/g, " ");
    const usual = /\s*\[default: ([^\]]+)\]/;
    const told = usual.exec(description)?.[1];
    return {
        name,
        label: labelOf(name),
        help: description.replace(usual, "").trim(),
        usual: told ?? (schema["x-default"] === undefined ? undefined : String(schema["x-default"])),
        unit: schema["x-unit"],
        group: GROUPS.find((group) => group !== "other" && grouped[group].includes(name)) ?? "other",
        takes: takesOf(schema),
    };
}

function labelOf(name: string): string {
    const words = name.replace(/_/g, " ").replace(/\blora\b/g, "LoRA").replace(/\bsnr\b/g, "SNR");
    return words.charAt(0).toUpperCase() + words.slice(1);
}

function takesOf(schema: Schema): Takes {
    const parts = flat(schema);
    const types = parts.flatMap(({ type }) => type ?? []);
    const constants = parts.filter((part) => part.const !== undefined);
    const part = (...of: string[]) => parts.find(({ type }) => of.some((one) => type === one || type?.includes(one))) ?? {};
    if (types.includes("integer") || types.includes("number")) {
        const { minimum, maximum, multipleOf } = part("integer", "number");
        return { kind: "number", whole: !types.includes("number"), least: minimum ?? -Infinity, most: maximum ?? Infinity, of: multipleOf, word: constants[0]?.const };
    }
    if (constants.length > 0) {
        return { kind: "choice", choices: constants.map(({ const: value = "", description = "" }) => ({ value, help: description })) };
    }
    if (types.includes("boolean")) {
        return { kind: "yes" };
    }
    if (types.includes("array")) {
        const { items, maxItems } = part("array");
        return { kind: "lines", most: maxItems ?? Infinity, longest: items?.maxLength ?? Infinity };
    }
    return { kind: "words", most: part("string").maxLength ?? Infinity };
}

/** A schema's alternatives, however they are nested. */
function flat(schema: Schema): Schema[] {
    const named = schema.$ref ? $defs[schema.$ref.split("/").at(-1) ?? ""] : undefined;
    const inside = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(named ? [named] : [])];
    return inside.length > 0 ? inside.flatMap(flat) : [schema];
}

/** What is wrong with a value; undefined if nothing is. */
export function wrongWith({ takes }: Parameter, value: unknown): string | undefined {
    const words = text.train.wrong;
    switch (takes.kind) {
        case "number":
            return value === takes.word && value !== undefined ? undefined : wrongNumber(takes, value);
        case "choice":
            return takes.choices.some((choice) => choice.value === value) ? undefined : fill(words.choice, { choices: takes.choices.map((choice) => choice.value).join(", ") });
        case "yes":
            return typeof value === "boolean" ? undefined : words.yes;
        case "words":
            return typeof value === "string" && value.length >= 1 && value.length <= takes.most ? undefined : fill(words.text, { most: takes.most });
        case "lines": {
            const right = Array.isArray(value) && value.length <= takes.most && value.every((line: unknown) => typeof line === "string" && line.length >= 1 && line.length <= takes.longest);
            return right ? undefined : fill(words.lines, { most: takes.most, longest: takes.longest });
        }
    }
}

function wrongNumber({ whole, least, most, of }: Takes & { kind: "number" }, value: unknown): string | undefined {
    const words = text.train.wrong;
    if (typeof value !== "number" || !Number.isFinite(value)) {
        return words.number;
    }
    if (value < least || value > most) {
        return fill(words.between, { least: ranged(least), most: ranged(most) });
    }
    if (whole && !Number.isInteger(value)) {
        return words.whole;
    }
    if (of && value % of !== 0) {
        return fill(words.multiple, { of, near: Math.max(of, Math.round(value / of) * of) });
    }
    return undefined;
}

/** As it can be typed in again. */
function ranged(value: number): string {
    return Math.abs(value) < 1e-3 && value !== 0 ? String(value) : number(value, 6);
}

/** Everything that is wrong with parameters, by name. */
export function wrongIn(values: Parameters): Map<string, string> {
    const wrong = new Map<string, string>();
    for (const [name, value] of Object.entries(values)) {
        const parameter = parameterOf(name);
        const why = parameter ? value === null || value === undefined ? undefined : wrongWith(parameter, value) : fill(text.train.advanced.unknown, { name });
        if (why) {
            wrong.set(name, why);
        }
    }
    return wrong;
}

/** Whether a parameter is not left to its default. */
export function isSet(values: Parameters, name: string): boolean {
    const value = (values as Record<string, unknown>)[name];
    return value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
}

/** Parameters with some of them put in; undefined for the default. */
export function withValues(values: Parameters, part: Record<string, unknown>): Parameters {
    return Object.fromEntries(Object.entries({ ...values, ...part }).filter(([, value]) => value !== undefined && value !== null)) as Parameters;
}
