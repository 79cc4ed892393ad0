// Looking into a chart: pointing at a step, and showing a part of the run, with pointer, wheel and keyboard.
import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Range } from "./curve";

/** A pointer that moved less was a click. */
const CLICK_PX = 5;

/** What part of `whole` is shown between the pixels `inner`, and which step is pointed at. */
export function useZoom(box: RefObject<HTMLElement | null>, whole: Range, inner: Range) {
    const [part, setPart] = useState<Range | null>(null);
    const [at, setAt] = useState<number | null>(null);
    const [drag, setDrag] = useState<[number, number] | null>(null);
    const range = part ?? whole;
    const span = range[1] - range[0];

    const pixel = (event: PointerEvent | WheelEvent) => {
        const left = box.current?.getBoundingClientRect().left ?? 0;
        return Math.min(inner[1], Math.max(inner[0], event.clientX - left));
    };
    const stepOf = (px: number) => range[0] + ((px - inner[0]) / (inner[1] - inner[0])) * span;
    /** Shows a range, kept inside the run and not less than a few steps. */
    const show = (from: number, to: number) => {
        const size = Math.max(4, to - from);
        if (size >= whole[1] - whole[0]) {
            return setPart(null);
        }
        const start = Math.min(Math.max(whole[0], from), whole[1] - size);
        setPart([start, start + size]);
    };
    const zoom = (factor: number, around: number) => show(around - (around - range[0]) * factor, around + (range[1] - around) * factor);
    /** Points at a step; the part that is shown follows. */
    const point = (step: number) => {
        const inside = Math.min(whole[1], Math.max(whole[0], Math.round(step)));
        setAt(inside);
        if (inside < range[0] || inside > range[1]) {
            show(inside - span / 2, inside + span / 2);
        }
    };

    const latest = useRef({ zoom, stepOf, pixel });
    latest.current = { zoom, stepOf, pixel };
    useEffect(() => {
        const element = box.current;
        // Elsewhere the wheel scrolls the page, as everybody expects.
        const wheel = (event: WheelEvent) => {
            if (event.ctrlKey || document.activeElement === element) {
                event.preventDefault();
                const { zoom, stepOf, pixel } = latest.current;
                zoom(event.deltaY > 0 ? 1.25 : 0.8, stepOf(pixel(event)));
            }
        };
        element?.addEventListener("wheel", wheel, { passive: false });
        return () => element?.removeEventListener("wheel", wheel);
    }, []);

    const handlers = {
        onPointerDown: (event: PointerEvent) => {
            if (event.button === 0 && event.currentTarget instanceof HTMLElement) {
                event.currentTarget.setPointerCapture(event.pointerId);
                setDrag([pixel(event), pixel(event)]);
            }
        },
        onPointerMove: (event: PointerEvent) => {
            setAt(stepOf(pixel(event)));
            setDrag((drag) => drag && [drag[0], pixel(event)]);
        },
        onPointerUp: () => {
            if (drag && Math.abs(drag[1] - drag[0]) > CLICK_PX) {
                const [from, to] = drag.map(stepOf) as [number, number];
                show(Math.min(from, to), Math.max(from, to));
            }
            setDrag(null);
        },
        onPointerCancel: () => setDrag(null),
        onPointerLeave: () => setAt(null),
        onBlur: () => setAt(null),
        onKeyDown: (event: KeyboardEvent) => {
            const here = at ?? range[1];
            const stride = Math.max(1, span / 100) * (event.shiftKey ? 10 : 1);
            const keys: Record<string, () => void> = {
                ArrowLeft: () => point(here - stride),
                ArrowRight: () => point(here + stride),
                ArrowDown: () => point(here - stride),
                ArrowUp: () => point(here + stride),
                PageDown: () => point(here - span / 10),
                PageUp: () => point(here + span / 10),
                Home: () => point(whole[0]),
                End: () => point(whole[1]),
                "+": () => zoom(0.8, here),
                "=": () => zoom(0.8, here),
                "-": () => zoom(1.25, here),
                "0": () => setPart(null),
                Escape: () => (setDrag(null), setAt(null)),
            };
            const act = keys[event.key];
            if (act && !event.ctrlKey && !event.metaKey && !event.altKey) {
                event.preventDefault();
                act();
            }
        },
    };
    const moved = drag && Math.abs(drag[1] - drag[0]) > CLICK_PX ? drag : null;
    return { range, at, drag: moved, zoomed: part !== null, reset: () => setPart(null), handlers };
}
