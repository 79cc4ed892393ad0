// Commands and names among words.
import { Copy } from "./button";

/** A sentence in which what stands between backticks is code. */
export function Coded({ children }: { children: string }) {
    return <>{children.split("`").map((part, at) => (at % 2 ? <code key={at} class="wrap">{part}</code> : part))}</>;
}

/** A command to copy into a terminal. */
export function Command({ children }: { children: string }) {
    return (
        <div class="command">
            <pre>{children}</pre>
            <Copy value={children} />
        </div>
    );
}
