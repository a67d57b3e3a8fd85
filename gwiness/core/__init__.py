"""The vocabulary: what data *is* here, with its shapes and units. numpy and pydantic only."""
