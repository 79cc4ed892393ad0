// What nearly every caption says.
import { fill } from "../../format";
import { Button } from "../../parts/button";
import { Coded } from "../../parts/code";
import { text } from "../../text";
import type { Book, Entry } from "./book";
import { finder } from "./words";

const words = text.captions.shared;
/** Below this share the daemon would not speak of it either. */
const NEARLY_ALL = 0.9;

/** Phrases that the concept will not learn, since the captions say them; gone when they are left out. */
export function Shared({ book, entries, onLeaveOut }: { book: Book; entries: Entry[]; onLeaveOut: (phrase: string) => void }) {
    void book.settled.value;
    const found = book.shared.value.flatMap(({ phrase, meaning }) => {
        const said = finder(phrase, { whole: true, exact: false });
        const saying = entries.filter((entry) => entry.typed.peek().search(said) >= 0).length;
        return saying > 0 && saying >= entries.length * NEARLY_ALL ? [{ phrase, meaning, saying }] : [];
    });
    if (found.length === 0) {
        return null;
    }
    return (
        <section class="stack caption-panel">
            <h3>{words.title}</h3>
            <ul class="caption-shared">
                {found.map(({ phrase, meaning, saying }) => (
                    <li key={phrase}>
                        <div class="row apart">
                            <span><strong class="wrap">{phrase}</strong> <span class="soft small number">{fill(words.count, { n: saying, all: entries.length })}</span></span>
                            <Button little label={fill(words.leaveOutOf, { phrase })} onClick={() => onLeaveOut(phrase)}>{words.leaveOut}</Button>
                        </div>
                        <p class="soft small"><Coded>{meaning}</Coded></p>
                    </li>
                ))}
            </ul>
        </section>
    );
}
