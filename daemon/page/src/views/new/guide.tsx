// What makes good pictures, by what is to be learnt.
import { useState } from "preact/hooks";
import type { Mode } from "../../api/schema";
import { Segments } from "../../parts/button";
import { text } from "../../text";

const modes = (["face", "object", "style"] as const).map((mode) => [mode, text.modes[mode]] as const);

/** Advice before pictures are chosen. */
export function Guide() {
    const [mode, set] = useState<Mode>("face");
    return (
        <section class="card stack guide">
            <h2>{text.new.guide.title}</h2>
            <p>{text.new.guide.first}</p>
            <Segments label={text.new.guide.label} value={mode} choices={modes} onChange={set} />
            <Advice mode={mode} />
            <p class="soft small">{text.new.guide.last}</p>
        </section>
    );
}

/** What matters in one mode. */
export function Advice({ mode }: { mode: Mode }) {
    return <ul class="advice">{text.new.guide[mode].map((words) => <li key={words}>{words}</li>)}</ul>;
}
