// Starts the page.
import { render } from "preact";
import { App } from "./app";
import "./style/tokens.css";
import "./style/base.css";
import "./style/parts.css";

render(<App />, document.getElementById("page")!);
