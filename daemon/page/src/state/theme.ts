// Dark or light.
import { useEffect } from "preact/hooks";
import { stored } from "./stored";

/** What the user chose. */
export const theme = stored<"system" | "light" | "dark">("theme", "system");

/** Shows the theme that was chosen, and follows the system where none was. */
export function useTheme(): void {
    const chosen = theme.value;
    useEffect(() => {
        const dark = matchMedia("(prefers-color-scheme: dark)");
        const show = () => {
            document.documentElement.dataset.theme = chosen === "system" ? (dark.matches ? "dark" : "light") : chosen;
        };
        show();
        dark.addEventListener("change", show);
        return () => dark.removeEventListener("change", show);
    }, [chosen]);
}
