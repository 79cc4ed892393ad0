// Concepts.
export function Concepts({ rest }: { rest: string[] }) {
    return <p>{rest.join("/")}</p>;
}
