// Trainings: how far they are, their samples, pausing and ending them.
(() => {
    "use strict";
    const conceptd = (window.conceptd = window.conceptd || {});
    const { h, fill } = conceptd;

    const STATES = {
        queued: "waits",
        running: "trains",
        paused: "paused",
        cancelling: "ends",
        done: "done",
        failed: "failed",
        cancelled: "cancelled",
        interrupted: "goes on soon",
    };
    const FINAL = new Set(["done", "failed", "cancelled"]);
    const isOver = (job) => FINAL.has(job.state);
    // Events come many times a second.
    const PAUSE_MS = 400;

    const where = (job) => {
        if (job.waits_for && !isOver(job)) {
            return "it goes on when the graphics card is free";
        }
        if (job.state === "queued") {
            return job.ahead ? `${job.ahead} before it` : "next";
        }
        const parts = [job.stage && job.state === "running" && job.stage];
        if (job.steps) {
            parts.push(`step ${job.step} of ${job.steps}`);
        }
        if (job.loss !== null) {
            parts.push(`loss ${job.loss.toFixed(4)}`);
        }
        if (job.state === "running" && job.eta_seconds !== null) {
            parts.push(`${conceptd.duration(job.eta_seconds)} left`);
        }
        return parts.filter(Boolean).join(" · ");
    };

    /** One training, kept up to date. */
    const card = (first) => {
        let job = first;
        let events = null;
        let timer = null;
        let shown = 0;
        const title = h("strong", {});
        const state = h("span", { className: "conceptd-badge" });
        const bar = h("progress", { "aria-label": `Progress of ${job.name}` });
        const text = h("div", { className: "conceptd-muted" });
        const trouble = h("div", {});
        const samples = h("div", { className: "conceptd-samples" });
        const note = conceptd.note();
        const act = (words, action) => {
            const button = conceptd.button(words, () =>
                conceptd.working(button, note, async () => draw(await conceptd.daemon.act(`v1/jobs/${job.id}/${action}`))),
            );
            return button;
        };
        const pause = act("Pause", "pause");
        const resume = act("Resume", "resume");
        const sample = act("Sample now", "sample");
        const cancel = act("Cancel", "cancel");
        const element = h(
            "article",
            { className: "conceptd-job" },
            h("header", {}, title, state),
            bar,
            text,
            trouble,
            samples,
            h("div", { className: "conceptd-actions" }, pause, resume, sample, cancel),
            note,
        );

        const drawSamples = async () => {
            const items = (await conceptd.daemon.get(`v1/jobs/${job.id}/samples`)).items;
            if (items.length === shown) {
                return;
            }
            shown = items.length;
            fill(
                samples,
                items.slice(-8).map((one) => {
                    const src = conceptd.daemonUrl(one.url);
                    const picture = h("img", { src, alt: `${job.name} at step ${one.step}`, loading: "lazy" });
                    return h("a", { href: src, target: "_blank", rel: "noreferrer", title: `step ${one.step}` }, picture);
                }),
            );
        };

        const draw = (now) => {
            job = now;
            title.textContent = job.name;
            state.textContent = STATES[job.state] || job.state;
            state.dataset.state = job.state;
            bar.max = job.steps || 1;
            bar.value = job.state === "done" ? bar.max : job.step;
            bar.hidden = job.state === "failed" || job.state === "cancelled";
            text.textContent = where(job);
            fill(
                trouble,
                job.failure && h("p", { className: "conceptd-bad" }, job.failure.reason),
                (job.installs || []).map((one) =>
                    h("p", { className: one.state === "failed" ? "conceptd-bad" : "conceptd-muted" }, one.text),
                ),
            );
            pause.hidden = !["running", "queued"].includes(job.state);
            resume.hidden = !["paused", "interrupted"].includes(job.state);
            sample.hidden = job.state !== "running";
            cancel.hidden = isOver(job) || job.state === "cancelling";
            if (isOver(job)) {
                close();
            }
        };

        const refresh = async () => {
            draw(await conceptd.daemon.get(`v1/jobs/${job.id}`));
            await drawSamples();
        };
        const soon = () => {
            timer = timer || setTimeout(() => {
                timer = null;
                // Whoever asks regularly says what is wrong.
                refresh().catch(() => {});
            }, PAUSE_MS);
        };
        const close = () => {
            if (events) {
                events.close();
                events = null;
            }
        };
        /** Listens while it trains; a browser allows few connections, so that those that wait are only asked about. */
        const follow = () => {
            if (job.state !== "running" || events) {
                return;
            }
            events = new EventSource(conceptd.daemonUrl(`v1/jobs/${job.id}/events`));
            events.onmessage = soon;
        };
        draw(job);
        return { element, draw, follow, close, refresh, drawSamples };
    };

    /** All trainings. */
    conceptd.jobs = () => {
        const cards = new Map();
        const empty = h("p", { className: "conceptd-muted" }, "Nothing was trained yet.");
        const list = h("div", { className: "conceptd-jobs" });
        const element = h("section", { className: "conceptd-card", "aria-label": "Trainings" }, h("h3", {}, "Trainings"), empty, list);

        const update = async () => {
            const jobs = (await conceptd.daemon.get("v1/jobs?limit=10")).items;
            for (const [id, one] of cards) {
                if (!jobs.some((job) => job.id === id)) {
                    one.close();
                    one.element.remove();
                    cards.delete(id);
                }
            }
            for (const [index, job] of jobs.entries()) {
                if (!cards.has(job.id)) {
                    cards.set(job.id, card(job));
                }
                const one = cards.get(job.id);
                one.draw(job);
                one.follow();
                if (list.children[index] !== one.element) {
                    list.insertBefore(one.element, list.children[index] || null);
                }
                if (job.state !== "queued") {
                    await one.drawSamples();
                }
            }
            empty.hidden = jobs.length > 0;
        };
        /** Ends listening, while nobody looks. */
        const rest = () => cards.forEach((one) => one.close());
        return { element, update, rest };
    };
})();
