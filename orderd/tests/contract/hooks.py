"""What of the rules for orders a JSON Schema can't say, for the tool that makes requests from it."""

import schemathesis


def has_fraction(value):
    """JSON Schema calls 2.0 an integer; an order's integers are written without a fraction."""
    if isinstance(value, float):
        return True
    if isinstance(value, dict):
        return any(has_fraction(inner) for inner in value.values())
    if isinstance(value, list):
        return any(has_fraction(inner) for inner in value)
    return False


def has_long_text(value):
    """A string's limit is 1024 bytes, and a schema counts characters."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass")) > 1024
    if isinstance(value, dict):
        return any(has_long_text(inner) for inner in value.values())
    if isinstance(value, list):
        return any(has_long_text(inner) for inner in value)
    return False


@schemathesis.hook
def filter_body(context, body):
    return not has_fraction(body) and not has_long_text(body)
