// The switch between light and dark.
import { theme } from "../state/theme";
import { text } from "../text";
import { Icon } from "./icon";

const { label, ...words } = text.app.theme;
const icons = { system: "screen", light: "sun", dark: "moon" } as const;

/** Three buttons of which one holds; without words where it is `little`. */
export function ThemeSwitch({ little }: { little?: boolean }) {
    return (
        <div class="segments theme" role="group" aria-label={label}>
            {(["system", "light", "dark"] as const).map((choice) => (
                <button key={choice} type="button" aria-pressed={theme.value === choice} aria-label={words[choice]} title={words[choice]} onClick={() => (theme.value = choice)}>
                    <Icon name={icons[choice]} size={16} />
                    {!little && <span>{words[choice]}</span>}
                </button>
            ))}
        </div>
    );
}
