// What a file's name says that it is, as the daemon reads it.
import { text } from "../../text";

/** What can be sent. */
export type Kind = "picture" | "film" | "caption" | "mask" | "archive";

/** A kind, or why the file cannot be used; null for what nobody means, such as hidden files. */
export function kindOf(path: string): { kind: Kind } | { why: string } | null {
    const lower = path.toLowerCase();
    if (lower.split("/").some((part) => part.startsWith(".") || unmeant.has(part)) || lower.endsWith(".preview.png")) {
        return null;
    }
    if (lower.endsWith(".mask.png")) {
        return { kind: "mask" };
    }
    const kind = kinds.get(endingOf(lower));
    return kind ? { kind } : { why: foreign.get(endingOf(lower)) ?? text.new.foreign.other };
}

function endingOf(path: string): string {
    return path.endsWith(".tar.gz") ? "tgz" : path.slice(path.lastIndexOf(".") + 1);
}

const unmeant = new Set(["__macosx", "thumbs.db", "desktop.ini"]);

function table<T>(...rows: [T, string][]): Map<string, T> {
    return new Map(rows.flatMap(([value, endings]) => endings.split(" ").map((ending) => [ending, value] as const)));
}

const kinds = table<Kind>(
    ["picture", "png jpg jpeg jfif jpe webp bmp tif tiff gif"],
    ["film", "mp4 m4v mov avi mkv webm"],
    ["caption", "txt caption"],
    ["archive", "zip tar tgz"],
);
const foreign = table<string>(
    [text.new.foreign.heic, "heic heif"],
    [text.new.foreign.modern, "avif jxl"],
    [text.new.foreign.raw, "cr2 cr3 nef arw dng raf orf rw2"],
    [text.new.foreign.drawing, "psd xcf svg pdf"],
    [text.new.foreign.archive, "rar 7z"],
);
