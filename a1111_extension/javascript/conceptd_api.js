// Questions to the routes of this extension, which pass those below `api/` on to conceptd.
(() => {
    "use strict";
    const conceptd = (window.conceptd = window.conceptd || {});

    // Relative to the page, which may lie below a path of a proxy.
    const root = new URL("conceptd/", window.location.href.replace(/[?#].*$/, "").replace(/[^/]*$/, ""));
    // No form and no other site's page can send it.
    const HEADER = { "X-Conceptd": "1" };

    class Refusal extends Error {
        constructor(status, problem) {
            const detail = problem.detail || "the web UI does not answer";
            super(problem.field ? `${problem.field}: ${detail}` : detail);
            this.status = status;
            this.code = problem.code || "unknown";
        }
    }
    conceptd.Refusal = Refusal;

    conceptd.url = (path) => new URL(path.replace(/^\//, ""), root).href;
    /** The address of something that conceptd names by a path, such as a sample. */
    conceptd.daemonUrl = (path) => conceptd.url(`api/${path.replace(/^\//, "")}`);

    const parsed = (text) => {
        try {
            return JSON.parse(text);
        } catch {
            return {};
        }
    };

    const ask = async (url, options) => {
        let answer;
        try {
            answer = await fetch(url, { ...options, credentials: "same-origin", cache: "no-store" });
        } catch {
            throw new Refusal(0, { code: "unreachable", detail: "the web UI does not answer" });
        }
        const text = await answer.text();
        if (!answer.ok) {
            throw new Refusal(answer.status, parsed(text));
        }
        return parsed(text);
    };

    const post = (url, body, headers) =>
        ask(url, {
            method: "POST",
            headers: { ...HEADER, "Content-Type": "application/json", ...headers },
            body: JSON.stringify(body === undefined ? {} : body),
        });

    /** Of this extension. */
    conceptd.own = {
        get: (path) => ask(conceptd.url(path)),
        post: (path, body) => post(conceptd.url(path), body),
    };

    /** Of conceptd. */
    conceptd.daemon = {
        get: (path) => ask(conceptd.daemonUrl(path)),
        post: (path, body, headers) => post(conceptd.daemonUrl(path), body, headers),
        /** What is done to a thing without saying more. */
        act: (path) => ask(conceptd.daemonUrl(path), { method: "POST", headers: HEADER }),
        /** Makes a data set of files; `progress` hears of 0 to 1. */
        upload: (files, progress) =>
            new Promise((resolve, reject) => {
                const form = new FormData();
                for (const file of files) {
                    form.append("files", file, file.webkitRelativePath || file.name);
                }
                // `fetch` does not say how much is sent.
                const request = new XMLHttpRequest();
                request.open("POST", conceptd.daemonUrl("v1/datasets"));
                request.setRequestHeader("X-Conceptd", "1");
                request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
                request.onload = () => {
                    const answer = parsed(request.responseText);
                    if (request.status < 300) {
                        resolve(answer);
                    } else {
                        reject(new Refusal(request.status, answer));
                    }
                };
                request.onerror = () => reject(new Refusal(0, { detail: "the upload broke off; try again" }));
                request.send(form);
            }),
    };
})();
