// Line drawings of 24 x 24 that stand beside words.
const paths = {
    add: "M12 5v14M5 12h14",
    run: "M5 19V9m5 10V5m5 14v-7m5 7V8",
    grid: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
    brush: "M4 20c3 0 5-1 5-4a2.5 2.5 0 0 1 5 0M13 14 20 5l-1-1-9 7",
    gear: "M4 7h9m5 0h2M4 17h3m5 0h8M15.5 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM9.5 19.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
    screen: "M3 5h18v11H3zM9 20h6m-3-4v4",
    sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 2v2m0 16v2M2 12h2m16 0h2M5 5l1.4 1.4m11.2 11.2L19 19m0-14-1.4 1.4M6.4 17.6 5 19",
    moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z",
    copy: "M9 9h11v11H9zM15 9V4H4v11h5",
    trash: "M4 7h16M9 7V4h6v3m3 0-1 13H7L6 7m4 4v5m4-5v5",
    up: "M12 19V5m-6 6 6-6 6 6",
    down: "M12 5v14m6-6-6 6-6-6",
    close: "M6 6l12 12M18 6 6 18",
    pictures: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15 9h.01",
    pause: "M9 5v14M15 5v14",
    play: "M8 5l11 7-11 7z",
    stop: "M6 6h12v12H6z",
    download: "M12 4v11m-5-5 5 5 5-5M5 20h14",
    check: "M5 13l4 4L19 7",
    warn: "M12 4 2.5 20h19zM12 10v4m0 3h.01",
    back: "M19 12H5m6-6-6 6 6 6",
    forth: "M5 12h14m-6-6 6 6-6 6",
    search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16 16l5 5",
    edit: "M4 20h4L19 9l-4-4L4 16z",
    eye: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7-10-7-10-7zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
} as const;

/** The names of the drawings. */
export type IconName = keyof typeof paths;

/** A drawing; it says nothing by itself, so that a word or a label belongs beside it. */
export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
    return (
        <svg width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
            <path d={paths[name]} />
        </svg>
    );
}
