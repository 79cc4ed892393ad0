// Numbers, sizes and times as people read them, in their browser's language.
import { text } from "./text";

/** `1.2 GB`. */
export function bytes(count: number): string {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let at = 0;
    while (count >= 1000 && at < units.length - 1) {
        count /= 1000;
        at++;
    }
    return `${number(count, at === 0 || count >= 100 ? 0 : 1)} ${units[at]}`;
}

/** With at most `digits` behind the point. */
export function number(value: number, digits = 2): string {
    return formatOf("maximumFractionDigits", digits).format(value);
}

/** With so many digits that count, such as `0.00123`. */
export function precise(value: number, digits = 3): string {
    return formatOf("maximumSignificantDigits", digits).format(value);
}

const formats = new Map<string, Intl.NumberFormat>();

/** Each is made once: that costs a hundred times what it is used for. */
function formatOf(rule: "maximumFractionDigits" | "maximumSignificantDigits", digits: number): Intl.NumberFormat {
    const key = `${rule} ${digits}`;
    const format = formats.get(key) ?? new Intl.NumberFormat(undefined, { [rule]: digits });
    formats.set(key, format);
    return format;
}

/** `3 min 20 s`. */
export function duration(seconds: number): string {
    const whole = Math.max(0, Math.round(seconds));
    const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    if (h) {
        return `${h} ${text.time.hours}${m ? ` ${m} ${text.time.minutes}` : ""}`;
    }
    if (m) {
        return `${m} ${text.time.minutes}${s && m < 10 ? ` ${s} ${text.time.seconds}` : ""}`;
    }
    return `${s} ${text.time.seconds}`;
}

/** `5 minutes ago`; days and more as a date. */
export function when(ms: number): string {
    const seconds = (Date.now() - ms) / 1000;
    if (seconds < 60) {
        return text.time.now;
    }
    if (seconds < 3600) {
        return relative.format(-Math.round(seconds / 60), "minute");
    }
    if (seconds < 86_400) {
        return relative.format(-Math.round(seconds / 3600), "hour");
    }
    return day.format(ms);
}

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** `{name}` in a text replaced by values. */
export function fill(template: string, values: Record<string, string | number>): string {
    return template.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** One of two texts, `1 picture` or `{n} pictures`. */
export function count(n: number, [one, many]: readonly [string, string]): string {
    return fill(n === 1 ? one : many, { n: number(n) });
}
