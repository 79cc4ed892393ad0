// Choosing pictures, and what conceptd found among them.
(() => {
    "use strict";
    const conceptd = (window.conceptd = window.conceptd || {});
    const { h, fill } = conceptd;
    const SHOWN = 12;

    /** Dropped files, with those in dropped folders. */
    const filesOf = async (transfer) => {
        const files = [];
        const walk = async (entry) => {
            if (entry.isFile) {
                files.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
            } else {
                const reader = entry.createReader();
                // A reader gives a hundred at a time.
                for (let part; (part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))).length; ) {
                    for (const inner of part) {
                        await walk(inner);
                    }
                }
            }
        };
        // All are taken now: the lists are empty after the first wait.
        const entries = [...transfer.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
        if (!entries.length) {
            return [...transfer.files];
        }
        for (const entry of entries) {
            await walk(entry);
        }
        return files;
    };

    /** The place for pictures. `changed` hears of the data set, or of null when there is none. */
    conceptd.pictures = (changed) => {
        const input = h("input", {
            type: "file",
            multiple: true,
            className: "conceptd-offscreen",
            accept: "image/*,.zip,.tar,.gz,.tgz,.txt,.caption",
            "aria-label": "Pictures, their texts, or archives of them",
        });
        const progress = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "Upload" });
        const note = conceptd.note();
        const thumbnails = h("div", { className: "conceptd-thumbnails" });
        const found = h("div", { className: "conceptd-pictures" });
        const zone = h(
            "label",
            { className: "conceptd-drop" },
            input,
            h("strong", {}, "Drop pictures here"),
            h("span", { className: "conceptd-muted" }, "or choose files: pictures, a zip or tar, texts beside them"),
        );
        let urls = [];

        const show = (files) => {
            urls.forEach((url) => URL.revokeObjectURL(url));
            const pictures = files.filter((file) => file.type.startsWith("image/"));
            urls = pictures.slice(0, SHOWN).map((file) => URL.createObjectURL(file));
            const more = pictures.length - urls.length;
            fill(
                thumbnails,
                urls.map((src, index) => h("img", { src, alt: pictures[index].name, title: pictures[index].name })),
                more > 0 && h("span", { className: "conceptd-muted" }, `and ${more} more`),
            );
        };

        const report = (dataset) => {
            const texts = dataset.pictures.filter((picture) => picture.caption).length;
            conceptd.say(note, `${dataset.pictures.length} pictures, ${texts} with a text of their own`);
            fill(
                found,
                dataset.notes.map((text) => h("p", { className: "conceptd-muted" }, text)),
                dataset.skipped.length > 0 &&
                    h(
                        "details",
                        { className: "conceptd-warning" },
                        h("summary", {}, `${dataset.skipped.length} files are not used`),
                        h("ul", {}, dataset.skipped.map((file) => h("li", {}, `${file.name}: ${file.reason}`))),
                    ),
            );
        };

        const take = async (files) => {
            if (!files.length) {
                return;
            }
            changed(null);
            fill(found);
            show(files);
            input.disabled = true;
            progress.hidden = false;
            progress.value = 0;
            conceptd.say(note, `Uploading ${conceptd.bytes(files.reduce((sum, file) => sum + file.size, 0))}`);
            try {
                const dataset = await conceptd.daemon.upload(files, (part) => {
                    progress.value = part;
                    if (part === 1) {
                        conceptd.say(note, "Looking at the pictures");
                    }
                });
                report(dataset);
                changed(dataset);
            } catch (error) {
                conceptd.say(note, error.message, "bad");
            } finally {
                input.disabled = false;
                input.value = "";
                progress.hidden = true;
            }
        };

        input.addEventListener("change", () => take([...input.files]));
        zone.addEventListener("dragover", (event) => {
            event.preventDefault();
            // Gradio listens for drops on the whole page.
            event.stopPropagation();
            zone.classList.add("conceptd-over");
        });
        zone.addEventListener("dragleave", () => zone.classList.remove("conceptd-over"));
        zone.addEventListener("drop", async (event) => {
            event.preventDefault();
            event.stopPropagation();
            zone.classList.remove("conceptd-over");
            await take(await filesOf(event.dataTransfer));
        });
        return h("div", { className: "conceptd-pictures" }, zone, progress, note, thumbnails, found);
    };
})();
