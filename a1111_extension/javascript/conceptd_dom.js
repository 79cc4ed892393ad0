// Elements and words. Text from outside becomes text nodes and nothing else: no markup is ever read from data.
(() => {
    "use strict";
    const conceptd = (window.conceptd = window.conceptd || {});

    /** An element with properties, listeners (`onclick`) and children (elements, texts, nothing). */
    conceptd.h = (tag, properties, ...children) => {
        const element = document.createElement(tag);
        for (const [name, value] of Object.entries(properties || {})) {
            if (value === undefined || value === null || value === false) {
                continue;
            }
            if (name.startsWith("on")) {
                element.addEventListener(name.slice(2), value);
            } else if (name in element && name !== "list" && typeof value !== "string") {
                element[name] = value;
            } else {
                element.setAttribute(name === "className" ? "class" : name, value === true ? "" : String(value));
            }
        }
        element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
        return element;
    };

    /** Puts other children into an element. */
    conceptd.fill = (element, ...children) => {
        element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
        return element;
    };

    conceptd.button = (text, onclick, kind = "") =>
        conceptd.h("button", { type: "button", className: `conceptd-button ${kind}`, onclick }, text);

    /** A button's work: it cannot be pressed again meanwhile, and what goes wrong is said beside it. */
    conceptd.working = async (button, note, work) => {
        button.disabled = true;
        conceptd.say(note, "");
        try {
            return await work();
        } catch (error) {
            conceptd.say(note, error.message, "bad");
            return undefined;
        } finally {
            button.disabled = false;
        }
    };

    /** Says something in an element that screen readers read out. */
    conceptd.note = () => conceptd.h("div", { className: "conceptd-note", role: "status" });
    conceptd.say = (note, text, kind = "") => {
        note.textContent = text;
        note.className = `conceptd-note ${kind ? `conceptd-${kind}` : ""}`;
    };

    conceptd.bytes = (count) => {
        const units = ["bytes", "KB", "MB", "GB", "TB"];
        let unit = 0;
        while (count >= 1000 && unit < units.length - 1) {
            count /= 1000;
            unit += 1;
        }
        return `${unit && count < 100 ? count.toFixed(1) : Math.round(count)} ${units[unit]}`;
    };

    conceptd.duration = (seconds) => {
        const whole = Math.max(0, Math.round(seconds));
        if (whole < 60) {
            return `${whole} s`;
        }
        const minutes = Math.round(whole / 60);
        return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
    };

    /** `lora_rank` as people write it. */
    conceptd.words = (name) => {
        const words = name.replace(/_/g, " ").replace(/\blora\b/g, "LoRA");
        return words.charAt(0).toUpperCase() + words.slice(1);
    };

    /** Copies a text; where the browser allows no clipboard (plain HTTP), the old way. */
    conceptd.copy = async (text) => {
        if (navigator.clipboard && window.isSecureContext) {
            return navigator.clipboard.writeText(text);
        }
        const field = conceptd.h("textarea", { className: "conceptd-offscreen", readonly: true });
        field.value = text;
        document.body.append(field);
        field.select();
        const copied = document.execCommand("copy");
        field.remove();
        if (!copied) {
            throw new Error("the browser does not let this page copy; select the text and copy it yourself");
        }
        return undefined;
    };
})();
