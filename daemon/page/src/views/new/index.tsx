// NewConcept.
export function NewConcept({ rest }: { rest: string[] }) {
    return <p>{rest.join("/")}</p>;
}
