// A concept in the gallery: the newest of its name.
import type { ConceptView } from "../../api/schema";
import { count, fill, when } from "../../format";
import { Icon } from "../../parts/icon";
import { to } from "../../router";
import { text } from "../../text";
import { hostsOf, needsLook, type Versions } from "./library";
import { Preview } from "./preview";

/** One card of the gallery. */
export function Card({ versions }: { versions: Versions }) {
    const [newest] = versions;
    return (
        <li class="concepts-card">
            <Preview concept={newest} />
            <div class="concepts-card-text">
                <h2><a class="wrap" href={to(["concepts", newest.id])}>{newest.name}</a></h2>
                <div class="row concepts-badges">
                    <span class="badge">{text.modes[newest.mode]}</span>
                    <span class="badge">{text.families[newest.family]}</span>
                    {versions.length > 1 && <span class="badge accent">{count(versions.length, text.concepts.versions)}</span>}
                    <span class="soft small">{when(newest.created_at_ms)}</span>
                </div>
                <div class="row apart small">
                    <Installed concept={newest} />
                    <a class="button plain little" href={to(["create"], { concept: newest.id })} aria-label={`${text.concepts.create}: ${newest.name}`}>{text.concepts.create}</a>
                </div>
            </div>
        </li>
    );
}

function Installed({ concept: { installs } }: { concept: ConceptView }) {
    const wrong = installs.filter(needsLook);
    const there = installs.filter(({ state }) => state === "installed" || state === "seen");
    if (wrong.length) {
        return <span class="badge warn"><Icon name="warn" size={13} />{fill(text.concepts.look, { hosts: hostsOf(wrong) })}</span>;
    }
    if (there.length) {
        return <span class="badge good"><Icon name="check" size={13} />{fill(text.concepts.installedIn, { hosts: hostsOf(there) })}</span>;
    }
    return <span class="soft">{text.concepts.nowhere}</span>;
}
