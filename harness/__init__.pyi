"""What a type checker sees of `import harness`; the names are found lazily, see __init__.py."""

from harness.api import (
    ImageClassifier as ImageClassifier,
)
from harness.api import (
    Samples as Samples,
)
from harness.api import (
    UserError as UserError,
)
from harness.api import (
    clean as clean,
)
from harness.api import (
    compare as compare,
)
from harness.api import (
    competition as competition,
)
from harness.api import (
    cv as cv,
)
from harness.api import (
    ensemble as ensemble,
)
from harness.api import (
    errors as errors,
)
from harness.api import (
    forecast as forecast,
)
from harness.api import (
    play as play,
)
from harness.api import (
    register as register,
)
from harness.api import (
    submit as submit,
)
from harness.api import (
    tune as tune,
)

__version__: str
