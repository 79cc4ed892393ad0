// Two pictures of the same size on each other, parted by a line that is dragged or moved with the keyboard.
import { useRef, useState } from "preact/hooks";
import { fill, number } from "../../format";
import { text } from "../../text";
import type { Sample } from "./run";

const words = text.running.samples;

/** The earlier picture left of the line, the later right of it. */
export function Compare({ left, right }: { left: Sample; right: Sample }) {
    const box = useRef<HTMLDivElement>(null);
    const [share, setShare] = useState(50);
    const drag = (event: PointerEvent) => {
        const { left = 0, width = 1 } = box.current?.getBoundingClientRect() ?? {};
        setShare(Math.min(100, Math.max(0, Math.round(((event.clientX - left) / width) * 100))));
    };
    const take = (event: PointerEvent) => {
        if (event.button === 0) {
            box.current?.setPointerCapture(event.pointerId);
            drag(event);
        }
    };
    const at = (sample: Sample) => fill(words.at, { step: number(sample.step) });
    const alt = (sample: Sample) => fill(words.alt, { step: number(sample.step) });
    return (
        <div class="compare">
            <div class="compare-pictures" ref={box} onPointerDown={take} onPointerMove={(event) => event.buttons & 1 && box.current?.hasPointerCapture(event.pointerId) && drag(event)}>
                <img src={right.url} alt={alt(right)} draggable={false} />
                <img class="over" src={left.url} alt={alt(left)} draggable={false} style={{ clipPath: `inset(0 ${100 - share}% 0 0)` }} />
                <div class="compare-line" style={{ left: `${share}%` }} aria-hidden="true"><span>↔</span></div>
                <span class="compare-tag left number" aria-hidden="true" hidden={share < 15}>{at(left)}</span>
                <span class="compare-tag right number" aria-hidden="true" hidden={share > 85}>{at(right)}</span>
            </div>
            <input type="range" min={0} max={100} value={share} aria-label={words.line} aria-valuetext={fill(words.lineText, { share, left: number(left.step) })} onInput={(event) => setShare(Number(event.currentTarget.value))} />
        </div>
    );
}
