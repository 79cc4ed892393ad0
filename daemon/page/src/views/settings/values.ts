// Values of settings as they are typed and read.
import type { SettingView } from "../../api/schema";
import { text } from "../../text";

const words = text.settings.daemon;

/** Numbers that are written with a unit. */
type Measure = "bytes" | "seconds" | "pixels";

/** What a setting's value is, which decides how it is edited. */
export type Kind = "courtesy" | "log" | "yes" | "list" | Measure | "number" | "text";

/** The daemon says no kinds; its values, names and help texts tell. */
export function kindOf({ name, value, help }: SettingView): Kind {
    if (name === "courtesy" || name === "log") {
        return name;
    }
    if (typeof value === "boolean") {
        return "yes";
    }
    if (Array.isArray(value)) {
        return "list";
    }
    if (typeof value !== "number") {
        return "text";
    }
    if (/bytes$|^memory_/.test(name) || /^bytes\b/i.test(help)) {
        return "bytes";
    }
    if (/pixels$/.test(name)) {
        return "pixels";
    }
    return /seconds$/.test(name) || /^seconds\b/i.test(help) ? "seconds" : "number";
}

const units = {
    bytes: { b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 },
    seconds: { s: 1, sec: 1, second: 1, seconds: 1, min: 60, minute: 60, minutes: 60, m: 60, h: 3600, hour: 3600, hours: 3600 },
    pixels: { px: 1, mp: 1e6 },
} as const;
/** Those that values are shown in, the largest first. */
const shown = {
    bytes: [["TB", 1e12], ["GB", 1e9], ["MB", 1e6], ["kB", 1e3]],
    seconds: [["h", 3600], ["min", 60], ["s", 1]],
    pixels: [["MP", 1e6]],
} as const;

/** Whether it is written with a unit. */
export function isMeasure(kind: Kind): kind is Measure {
    return kind in units;
}

/** A value as it stands in its field. */
export function typed(kind: Kind, value: unknown): string {
    if (Array.isArray(value)) {
        return value.join("\n");
    }
    if (typeof value === "number" && value > 0 && isMeasure(kind)) {
        // Only what loses nothing.
        const unit = shown[kind].find(([, of]) => value >= of && Number.isInteger((value / of) * 10));
        return unit ? `${value / unit[1]} ${unit[0]}` : String(value);
    }
    return value === null || value === undefined ? "" : String(value);
}

/** What was typed as a value; null for the default; undefined if it is none. */
export function read(kind: Kind, typed: string): unknown {
    const line = typed.trim();
    if (kind === "list") {
        return typed.split("\n").map((part) => part.trim()).filter(Boolean);
    }
    if (kind === "yes") {
        return line === "true";
    }
    if (line === "") {
        return null;
    }
    if (kind === "number") {
        return /^\d+$/.test(line) ? Number(line) : undefined;
    }
    if (!isMeasure(kind)) {
        return line;
    }
    // Three digits behind a comma may be thousands.
    const [, digits, unit = ""] = /^(\d+(?:[.,]\d{1,2})?)\s*([a-z]*)$/i.exec(line) ?? [];
    const known: Record<string, number> = units[kind];
    const factor = unit === "" ? 1 : known[unit.toLowerCase()];
    return digits === undefined || factor === undefined ? undefined : Math.round(Number(digits.replace(",", ".")) * factor);
}

/** A value for people. */
export function said(kind: Kind, value: unknown): string {
    if (kind === "yes") {
        return value ? text.common.yes : text.common.no;
    }
    if (kind === "courtesy") {
        return words.courtesy.find(([choice]) => choice === (value ?? ""))?.[1] ?? String(value);
    }
    return typed(kind, value).split("\n").join(", ") || (kind === "list" ? words.empty : words.nothing);
}
