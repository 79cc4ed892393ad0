// The files that a user drops, chooses or pastes, each with its place in the folder that it came with.
import type { Chosen } from "../../api/upload";
import { text } from "../../text";

/** Everything that was dropped, from nested folders too. What cannot be read is told to `fail`. */
export async function dropped(transfer: DataTransfer, fail: (name: string, error: unknown) => void): Promise<Chosen[]> {
    // The list is emptied as soon as this function waits.
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() ?? null);
    const files = [...transfer.files];
    if (entries.every((entry) => entry === null)) {
        return chosen(files);
    }
    const found: Chosen[] = [];
    const waiting = entries.filter((entry) => entry !== null);
    for (let entry = waiting.shift(); entry; entry = waiting.shift()) {
        try {
            if (entry.isDirectory) {
                waiting.push(...(await inside(entry as FileSystemDirectoryEntry)));
            } else {
                const { fullPath } = entry;
                const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
                found.push({ file, path: fullPath.replace(/^\//, "") });
            }
        } catch (error) {
            fail(entry.fullPath, error);
        }
    }
    return found;
}

/** A reader gives a hundred at a time, and none in the end. */
async function inside(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
    const reader = folder.createReader();
    const all: FileSystemEntry[] = [];
    for (;;) {
        const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
        if (some.length === 0) {
            return all;
        }
        all.push(...some);
    }
}

/** What an input chose: files, or a folder. */
export function chosen(files: Iterable<File>): Chosen[] {
    return [...files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
}

let counted = 0;

/** Pictures from the clipboard; all of them have the same name there. */
export function pasted(transfer: DataTransfer | null): Chosen[] {
    return [...(transfer?.files ?? [])].map((file) => {
        const ending = file.name.slice(file.name.lastIndexOf("."));
        const clipboard = /^image\.\w+$/.test(file.name);
        return { file, path: clipboard ? `${text.new.drop.pasted}-${Date.now()}-${++counted}${ending}` : file.name };
    });
}
