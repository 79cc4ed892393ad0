// Findings as a user goes through them: alike ones together, with what of them is settled and what one click can do.
import type { Crop, DatasetReport, DatasetView, Finding, FindingCode, PictureView, Severity } from "../../api/schema";

/** What is said in the same way of one picture or several. */
export interface Group {
    key: string;
    code: FindingCode;
    severity: Severity;
    advice: string;
    /** Each thing that was said, with the pictures that it is about. */
    said: { message: string; pictures: PictureView[] }[];
    /** Everything that it is about. */
    pictures: PictureView[];
    /** What may well be left out. */
    spare: PictureView[];
    /** Nothing is left of it to do. */
    settled: boolean;
}

/** Pictures with these are better left out than kept; what else is wrong can be mended, or lived with. */
const spares = new Set<FindingCode>(["empty", "blurred", "jpeg_blocks", "overexposed", "underexposed", "grey", "no_face", "several_faces", "mixed_styles", "below_resolution"]);

/** The findings of a report together, what matters most first. */
export function groupsOf(report: DatasetReport, { pictures }: DatasetView, crop: Crop, resolution: number): Group[] {
    const byName = new Map(pictures.map((picture) => [picture.name, picture]));
    const groups = new Map<string, Group>();
    for (const finding of report.findings) {
        const { code, severity, advice, message } = finding;
        // Each set of near duplicates is a matter of its own.
        const key = [severity, code, advice, code === "near_duplicate" ? finding.pictures.join("|") : ""].join("|");
        const about = finding.pictures.flatMap((name) => byName.get(name) ?? []);
        const group = groups.get(key) ?? { key, code, severity, advice, said: [], pictures: [], spare: [], settled: false };
        const alike = group.said.find((said) => said.message === message);
        if (alike) {
            alike.pictures.push(...about);
        } else {
            group.said.push({ message, pictures: [...about] });
        }
        group.pictures.push(...about);
        group.spare.push(...spareOf(finding, about));
        groups.set(key, group);
    }
    return [...groups.values()].map((group) => ({ ...group, settled: isSettled(group, crop, resolution) }));
}

function spareOf({ code }: Finding, pictures: PictureView[]): PictureView[] {
    return code === "near_duplicate" ? pictures.slice(1) : spares.has(code) ? pictures : [];
}

function isSettled({ code, pictures }: Group, crop: Crop, resolution: number): boolean {
    const left = pictures.filter((picture) => picture.used);
    switch (code) {
        case "near_duplicate":
            return left.length < 2;
        case "below_resolution":
            return left.every(({ width, height }) => Math.min(width, height) >= resolution);
        case "subject_outside_crop":
            return crop !== "center" || left.every((picture) => picture.focus);
        case "extreme_aspect":
            return crop === "bucket" || left.length === 0;
        case "captions_missing":
            return pictures.length > 0 && left.every((picture) => picture.caption);
        default:
            return pictures.length > 0 && left.length === 0;
    }
}

/** What was found about each picture, by name; what is settled does not count. */
export function remarks(groups: Group[]): Map<string, Group[]> {
    const by = new Map<string, Group[]>();
    for (const group of groups.filter((group) => !group.settled)) {
        for (const { name } of new Set(group.pictures)) {
            by.set(name, [...(by.get(name) ?? []), group]);
        }
    }
    return by;
}
