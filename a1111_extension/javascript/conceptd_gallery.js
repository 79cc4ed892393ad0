// The concepts that are there: pictures, how to call them, installing them here.
(() => {
    "use strict";
    const conceptd = (window.conceptd = window.conceptd || {});
    const { h, fill } = conceptd;

    const card = (concept, here) => {
        const note = conceptd.note();
        const installed = (concept.installs || []).find((one) => one.host === here.id);
        const isThere = installed && ["installed", "seen", "unseen"].includes(installed.state);
        const called = concept.version > 1 ? `${concept.name} v${concept.version}` : concept.name;
        const install = conceptd.button("Install here", () =>
            conceptd.working(install, note, async () => {
                here.id = here.id || (await conceptd.own.post("host")).id;
                const answer = await conceptd.daemon.post(`v1/concepts/${concept.id}/install`, { hosts: [here.id] });
                const [first] = answer.items;
                conceptd.say(note, [first.text, ...first.warnings].join(" "), first.state === "failed" ? "bad" : "good");
            }),
        );
        const remove = conceptd.button("Uninstall", () =>
            conceptd.working(remove, note, async () => {
                const answer = await conceptd.daemon.post(`v1/concepts/${concept.id}/uninstall`, { hosts: [here.id] });
                conceptd.say(note, answer.items.length ? answer.items[0].text : "It is uninstalled");
            }),
        );
        const copy = conceptd.button("Copy prompt", () =>
            conceptd.working(copy, note, async () => {
                await conceptd.copy(concept.prompts.a1111);
                conceptd.say(note, "Copied", "good");
            }),
        );
        const element = h(
            "article",
            { className: "conceptd-concept" },
            concept.preview
                ? h("img", {
                      src: conceptd.daemonUrl(`v1/concepts/${concept.id}/preview`),
                      alt: `${concept.name}: the base beside the concept`,
                      loading: "lazy",
                  })
                : h("div", { className: "conceptd-nopicture" }, "no preview"),
            h("header", {}, h("strong", { title: concept.id }, called), h("span", { className: "conceptd-badge" }, concept.mode)),
            h("code", {}, concept.prompts.a1111),
            concept.base_nonstandard &&
                h("p", { className: "conceptd-warning" }, "Its base has sizes of its own: it works with that base alone."),
            isThere && h("p", { className: "conceptd-muted" }, installed.text),
            h("div", { className: "conceptd-actions" }, copy, isThere ? remove : install),
            note,
        );
        return element;
    };

    /** All concepts. `here` holds the id under which conceptd knows this web UI, if it does. */
    conceptd.gallery = (here) => {
        const grid = h("div", { className: "conceptd-gallery" });
        const empty = h("p", { className: "conceptd-muted" }, "There are no concepts yet. What you train appears here.");
        const more = conceptd.button("Show more", () => load(next));
        const note = conceptd.note();
        let next = null;
        let drawn = "";
        const element = h("section", { className: "conceptd-card", "aria-label": "Concepts" }, h("h3", {}, "Concepts"), note, empty, grid, more);

        const load = async (after) => {
            const page = await conceptd.daemon.get(`v1/concepts?limit=24${after ? `&after=${encodeURIComponent(after)}` : ""}`);
            next = page.next;
            more.hidden = next === null;
            const cards = () => page.items.map((concept) => card(concept, here));
            if (after) {
                grid.append(...cards());
                return;
            }
            // Drawn again only if something changed, so that a button stays under the finger.
            const now = JSON.stringify([page.items, here.id]);
            if (now !== drawn) {
                drawn = now;
                fill(grid, cards());
            }
            empty.hidden = page.items.length > 0;
        };
        const update = () => load(null).catch((error) => conceptd.say(note, error.message, "bad"));
        return { element, update };
    };
})();
