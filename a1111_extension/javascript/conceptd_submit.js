// A new concept: pictures, name, kind, base; what training would do; training.
(() => {
    "use strict";
    const conceptd = (window.conceptd = window.conceptd || {});
    const { h, fill } = conceptd;

    const labelled = (text, field, help) =>
        h("label", { className: "conceptd-field" }, h("span", {}, text), field, help && h("small", {}, help));

    /** Fields of the parameters that people change; `read` gives those that were filled in. */
    const parameterFields = (parameters) => {
        const fields = parameters.map((parameter) => {
            const placeholder = parameter.default === null ? (parameter.auto ? "auto" : "") : String(parameter.default);
            const field = h("input", {
                type: "text",
                inputmode: parameter.number ? "decimal" : "text",
                placeholder,
                name: parameter.name,
                autocomplete: "off",
            });
            const text = conceptd.words(parameter.name) + (parameter.unit ? ` (${parameter.unit})` : "");
            return { parameter, field, row: labelled(text, field, parameter.text.replace(/`/g, "")) };
        });
        const read = () => {
            const values = {};
            for (const { parameter, field } of fields) {
                const text = field.value.trim();
                if (!text) {
                    continue;
                }
                if (parameter.many) {
                    values[parameter.name] = [text];
                } else if (!parameter.number || (parameter.auto && text === "auto")) {
                    values[parameter.name] = text;
                } else if (Number.isFinite(Number(text))) {
                    values[parameter.name] = Number(text);
                } else {
                    throw new Error(`${conceptd.words(parameter.name)}: “${text}” is no number`);
                }
            }
            return values;
        };
        return { rows: fields.map((one) => one.row), read };
    };

    const report = (plan) => {
        const facts = [
            `${plan.pictures} pictures`,
            plan.steps !== null && `${plan.steps} steps`,
            plan.seconds !== null && `about ${conceptd.duration(plan.seconds)}`,
            `${conceptd.bytes(plan.memory_bytes)} of memory`,
            `${conceptd.bytes(plan.disk_bytes)} on disk`,
        ].filter(Boolean);
        return [
            h("p", {}, h("strong", {}, facts.join(" · "))),
            plan.warnings.map((warning) => h("p", { className: "conceptd-warning", role: "alert" }, warning.text)),
            h(
                "details",
                {},
                h("summary", {}, "Every decision and why"),
                h(
                    "table",
                    {},
                    h(
                        "tbody",
                        {},
                        plan.resolved.map((one) =>
                            h("tr", {}, h("th", { scope: "row" }, conceptd.words(one.parameter)), h("td", {}, one.value), h("td", {}, one.why)),
                        ),
                    ),
                ),
            ),
        ];
    };

    /** The form. `submitted` hears of the job. */
    conceptd.submit = (form, here, submitted) => {
        let dataset = null;
        let planned = null;
        const note = conceptd.note();
        const plan = h("div", { className: "conceptd-plan", "aria-live": "polite" });
        const name = h("input", { type: "text", name: "concept", maxlength: form.name_length, autocomplete: "off", placeholder: "Xander" });
        const bases = h("select", { name: "base" });
        const modes = form.modes.map((mode, index) => {
            const radio = h("input", { type: "radio", name: "conceptd-mode", value: mode.value, checked: index === 0 });
            return { radio, row: h("label", {}, radio, h("strong", {}, conceptd.words(mode.value)), h("small", {}, mode.text)) };
        });
        const parameters = parameterFields(form.parameters);
        const install = h("input", { type: "checkbox", checked: true });

        const request = () => {
            if (!dataset) {
                throw new Error("Choose pictures first");
            }
            if (!name.value.trim()) {
                name.focus();
                throw new Error("Give the concept a name");
            }
            if (!bases.value) {
                throw new Error("There is no base to train on; put a checkpoint into a folder that conceptd knows");
            }
            return {
                dataset: dataset.id,
                name: name.value.trim(),
                mode: modes.find((mode) => mode.radio.checked).radio.value,
                base: bases.value,
                parameters: parameters.read(),
            };
        };

        const train = conceptd.button("Train", () =>
            conceptd.working(train, note, async () => {
                const wanted = { ...planned.request };
                if (install.checked && !install.disabled) {
                    here.id = (await conceptd.own.post("host")).id;
                    wanted.install = [here.id];
                }
                // Once, however often it is sent.
                const job = await conceptd.daemon.post("v1/jobs", wanted, { "Idempotency-Key": planned.key });
                reset();
                conceptd.say(note, `“${job.name}” is in the queue`, "good");
                submitted(job);
            }),
        "conceptd-primary");
        const check = conceptd.button("Check", () =>
            conceptd.working(check, note, async () => {
                reset();
                const answer = await conceptd.daemon.post("v1/plans", request());
                planned = { request: answer.request, key: `tab-${Date.now()}-${Math.random().toString(36).slice(2)}` };
                fill(plan, report(answer));
                train.hidden = false;
            }),
        );
        const reset = () => {
            planned = null;
            train.hidden = true;
            fill(plan);
        };
        reset();

        const loadBases = async () => {
            const models = (await conceptd.daemon.get("v1/models?limit=200")).items;
            const before = bases.value;
            fill(
                bases,
                models.map((model) =>
                    h(
                        "option",
                        { value: model.path, disabled: Boolean(model.problem), title: model.problem || model.path },
                        model.problem ? `${model.name} (${model.problem})` : `${model.name} · ${model.family || "unknown"}`,
                    ),
                ),
            );
            const usable = models.filter((model) => !model.problem);
            bases.value = usable.some((model) => model.path === before) ? before : usable.length ? usable[0].path : "";
        };

        const pictures = conceptd.pictures((found) => {
            dataset = found;
            reset();
        });
        const element = h(
            "form",
            { className: "conceptd-card", "aria-label": "New concept", onsubmit: (event) => event.preventDefault() },
            h("h3", {}, "New concept"),
            pictures,
            labelled("Name", name, form.name),
            h("fieldset", { className: "conceptd-modes" }, h("legend", {}, "What the pictures share"), modes.map((mode) => mode.row)),
            labelled("Base", bases),
            h("details", {}, h("summary", {}, "More"), h("div", { className: "conceptd-grid" }, parameters.rows)),
            h("label", { className: "conceptd-check" }, install, h("span", {}, "Install it here when it is trained")),
            h("div", { className: "conceptd-actions" }, check, train),
            note,
            plan,
        );
        // What was planned is what is trained.
        element.addEventListener("input", (event) => event.target === install || reset());
        return { element, loadBases };
    };
})();
