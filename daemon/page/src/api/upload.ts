// Sending files, with progress, which `fetch` cannot tell.
import { answered, asProblem, reachable, Refused, shownKey, Unreachable } from "./client";

/** A file with its place in the folder that it was dropped with. */
export interface Chosen {
    file: File;
    /** With `/`, relative to what was dropped. */
    path: string;
}

/** Posts a form; `see` hears the share that is sent, from 0 to 1. */
export function upload<T>(
    url: string,
    form: FormData,
    see: (share: number) => void,
    key?: string,
    signal?: AbortSignal,
): Promise<T> {
    return new Promise((resolve, reject) => {
        const request = new XMLHttpRequest();
        request.open("POST", url);
        request.responseType = "json";
        request.setRequestHeader(...shownKey());
        if (key) {
            request.setRequestHeader("Idempotency-Key", key);
        }
        request.upload.onprogress = ({ loaded, total }) => see(total ? loaded / total : 0);
        request.onload = () => {
            answered(request.status);
            if (request.status < 300) {
                resolve(request.response as T);
            } else {
                reject(new Refused(asProblem(request.response, request)));
            }
        };
        request.onerror = () => {
            reachable.value = false;
            reject(new Unreachable());
        };
        request.onabort = () => reject(new DOMException("stopped", "AbortError"));
        signal?.addEventListener("abort", () => request.abort());
        request.send(form);
    });
}

/** A form with files under their paths. */
export function formOf(chosen: Chosen[]): FormData {
    const form = new FormData();
    for (const { file, path } of chosen) {
        form.append("files", file, path);
    }
    return form;
}
