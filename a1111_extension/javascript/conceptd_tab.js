// The tab itself: it fills the element that the web UI made, and looks after conceptd while somebody looks at it.
(() => {
    "use strict";
    const conceptd = (window.conceptd = window.conceptd || {});
    const LOOK_MS = 3000;

    const absent = (state, started) => {
        const { h } = conceptd;
        const note = conceptd.note();
        const start = conceptd.button("Start it", () =>
            conceptd.working(start, note, async () => {
                conceptd.say(note, "Starting");
                await conceptd.own.post("start");
                started();
            }),
        "conceptd-primary");
        const copy = conceptd.button("Copy", () => conceptd.working(copy, note, () => conceptd.copy(state.command)));
        return h(
            "section",
            { className: "conceptd-card conceptd-absent" },
            h("h3", {}, "conceptd is not running"),
            state.problem && h("p", { className: "conceptd-bad" }, state.problem),
            h("p", {}, "It trains concepts on this machine, in a program of its own. Start it from a shell:"),
            h("div", { className: "conceptd-command" }, h("code", {}, state.command), copy),
            state.startable
                ? h("div", { className: "conceptd-actions" }, start)
                : h(
                      "p",
                      { className: "conceptd-muted" },
                      "The program is not on the PATH. Put it there, or start the web UI with --conceptd-program and where it is; then it can be started here.",
                  ),
            h("p", { className: "conceptd-muted" }, "Concepts that are installed work in prompts without it."),
            note,
        );
    };

    const mount = (root) => {
        const { h, fill } = conceptd;
        const here = { id: null };
        const status = h("span", { className: "conceptd-muted", role: "status" });
        const page = h("a", { target: "_blank", rel: "noreferrer", hidden: true }, "Everything else: conceptd's own page");
        const body = h("div", {});
        fill(root, h("header", { className: "conceptd-head" }, h("h2", {}, "Concepts"), status, page), body);
        let parts = null;
        let asking = false;
        let command = null;

        const visible = () => root.offsetParent !== null && document.visibilityState === "visible";

        const present = async () => {
            if (parts) {
                return;
            }
            const form = await conceptd.own.get("form");
            const gallery = conceptd.gallery(here);
            const jobs = conceptd.jobs();
            const submit = conceptd.submit(form, here, () => jobs.update());
            fill(body, h("div", { className: "conceptd-columns" }, submit.element, jobs.element), gallery.element);
            parts = { gallery, jobs, submit };
            command = null;
            await submit.loadBases();
            // Null until something is installed here.
            here.id = await conceptd.own.get("host").then((host) => host.id, () => null);
            await gallery.update();
        };

        const look = async () => {
            if (asking || !visible()) {
                if (parts && !visible()) {
                    parts.jobs.rest();
                }
                return;
            }
            asking = true;
            try {
                const state = await conceptd.own.get("daemon");
                status.textContent = state.running ? `conceptd ${state.version} on ${state.device}` : "";
                page.hidden = !state.running;
                if (state.running) {
                    page.href = state.url;
                    await present();
                    await parts.jobs.update();
                    // Concepts appear and are installed without this page too.
                    await parts.gallery.update();
                } else if (command !== state.command) {
                    if (parts) {
                        parts.jobs.rest();
                        parts = null;
                    }
                    command = state.command;
                    fill(body, absent(state, look));
                }
            } catch (error) {
                status.textContent = error.message;
            } finally {
                asking = false;
            }
        };
        look();
        setInterval(look, LOOK_MS);
    };

    // The web UI makes the element late, and may make it anew.
    const watch = () => {
        const root = document.getElementById("conceptd-root");
        if (root && !root.dataset.mounted) {
            root.dataset.mounted = "yes";
            mount(root);
        }
    };
    document.addEventListener("DOMContentLoaded", () => {
        watch();
        new MutationObserver(watch).observe(document.body, { childList: true, subtree: true });
    });
})();
