// The editor of a caption: what is written is drawn a second time behind it, with the concept marked, and gives it its height.
import { pieces } from "./words";

/** A caption that grows with its text. */
export function Caption({ id, label, described, text, concept, placeholder, wrong, onInput, onBlur }: { id: string; label: string; described: string; text: string; concept: RegExp; placeholder: string; wrong: boolean; onInput: (text: string) => void; onBlur: () => void }) {
    return (
        <div class="caption-editor">
            <div aria-hidden="true">
                {pieces(text || placeholder, concept).map((piece, at) => (piece.concept && text ? <mark key={at}>{piece.text}</mark> : piece.text))}
                {/* A line that ends with a space is as high as one with a word behind it. */}
                {"\u200b"}
            </div>
            <textarea id={id} class="caption-text" rows={1} aria-label={label} aria-describedby={described} aria-invalid={wrong || undefined} placeholder={placeholder} maxLength={9000} value={text} onInput={(event) => onInput(event.currentTarget.value.replace(/\s*\n\s*/g, " "))} onBlur={onBlur} />
        </div>
    );
}
