"""Mistakes people make in a sweep file: what is changed in a right one, the key named, and what the message
must say."""

from __future__ import annotations

from typing import NamedTuple

LR = 'learning_rate = { scale = "log", min = 1e-3, max = 10.0 }'
MOMENTUM = 'momentum = { scale = "reverse_log", min = 0.8, max = 0.999 }'
TRAINING = "[training]\nmicro_batch = 256\n"


class Bad(NamedTuple):
    """One mistake in `texts.GOOD`."""

    old: str
    new: str
    key: str
    """The message begins `file: key: `."""
    says: tuple[str, ...]
    """The rest holds each of these: the value, and the remedy."""


def lr(text: str) -> str:
    """[search] with another learning rate."""
    return f"learning_rate = {text}"


BAD_INPUTS = [
    # Numbers of trials.
    Bad("trials = 24", "trials = { least = 3, until = 0.1 }", "studies.trials.least", ("3 is below 4",)),
    Bad(
        "trials = 24",
        "trials = { least = 9, most = 8, until = 0.1 }",
        "studies.trials.most",
        ("8", "below least, 9"),
    ),
    Bad(
        "trials = 24",
        "trials = { least = 8, most = 64 }",
        "studies.trials.until",
        ("is missing", "until = 0.1"),
    ),
    Bad("trials = 24", "trials = { until = 10 }", "studies.trials.until", ("10 is above 1",)),
    Bad(
        "trials = 24", "trials = { leest = 8, until = 0.1 }", "studies.trials.leest", ("did you mean least?",)
    ),
    Bad(
        "trials = 24",
        "trials = { 64 = 9 }",
        "studies.trials",
        ("for batch size 8, 512", "add `default = 24`"),
    ),
    Bad(
        "trials = 24",
        f"trials = {{ {'9' * 5000} = 1, default = 3 }}",
        "studies.trials",
        ("is neither a batch size nor",),
    ),
    Bad("trials = 24", "trials = { 64 = 0, default = 3 }", "studies.trials", ("0 is not between 1 and",)),
    Bad(
        "trials = 24",
        "trials = { 64 = 9, many = 3 }",
        "studies.trials",
        ("many is neither a batch size nor default",),
    ),
    Bad(
        "trials = 24",
        "trials = { until = 0.1 }\nmax_trials = 63",
        "studies.max_trials",
        ("63", "below the 64 trials"),
    ),
    # The top of the file.
    Bad('dataset = "digits"\n', "", "dataset", ("is missing", 'dataset = "digits"')),
    Bad('dataset = "digits"', "dataset = 3", "dataset", ("3", "put it in quotes")),
    Bad('dataset = "digits"', 'dataset = "digit"', "dataset", ('"digit"', "did you mean digits")),
    Bad('dataset = "digits"', 'dataset = ""', "dataset", ("is empty",)),
    Bad('dataset = "digits"', 'name = " "\ndataset = "digits"', "name", ('" "', "is blank")),
    Bad("trials = 24", "trials = { until = 5e-324 }", "studies.trials.until", ("is below 0.001",)),
    Bad(
        'dataset = "digits"',
        'name = "a\\nb"\ndataset = "digits"',
        "name",
        ("a line break or a control character",),
    ),
    Bad(
        'dataset = "digits"',
        'name = "\\u001b[31mred"\ndataset = "digits"',
        "name",
        ("a line break or a control character",),
    ),
    Bad(
        'dataset = "digits"',
        'dataset = "nowhere:load"',
        "dataset",
        ('"nowhere:load" is not found: no module',),
    ),
    Bad('dataset = "digits"', 'dataset = "my-data:load"', "dataset", ("is not module:function",)),
    Bad(
        'dataset = "digits"',
        'dataset = "digits"\ndataset_options = { length = 3 }',
        "dataset_options.length",
        ("digits has no such option",),
    ),
    Bad(
        'dataset = "digits"',
        'dataset = "digits"\ndataset_options = { since = 1979-05-27 }',
        "dataset_options.since",
        ("1979-05-27", "finite numbers"),
    ),
    Bad('dataset = "digits"', 'dataset = "digits"\ndataset_options = 3', "dataset_options", ("3", "table")),
    Bad('model = "fc_128"\n', "", "model", ("is missing", 'model = "fc_128"')),
    Bad('model = "fc_128"', 'model = "resnet_9"', "model", ('"resnet_9"', "did you mean resnet_8")),
    Bad('model = "fc_128"', 'model = "fc_0"', "model", ('"fc_0"', "not known")),
    Bad('model = "fc_128"', 'model = "lstm"', "model", ('"lstm"', "digits holds images")),
    Bad(
        'model = "fc_128"',
        'model = "fc_128"\nmodel_options = { dropout = 1.5 }',
        "model_options.dropout",
        ("1.5 is not a rate",),
    ),
    Bad(
        'model = "fc_128"',
        'model = "fc_128"\nmodel_options = { droput = 0.5 }',
        "model_options.droput",
        ("it has dropout",),
    ),
    Bad(
        'algorithms = ["sgd", "momentum"]\n',
        "",
        "algorithms",
        ("is missing", 'algorithms = ["sgd", "momentum"]'),
    ),
    Bad('algorithms = ["sgd", "momentum"]', "algorithms = []", "algorithms", ("is missing",)),
    Bad(
        '["sgd", "momentum"]', '["sgd", "momntum"]', "algorithms[1]", ('"momntum"', 'did you mean "momentum"')
    ),
    Bad('["sgd", "momentum"]', '["sgd", "adam"]', "algorithms[1]", ('"adam"', 'use "sgd", "momentum" or')),
    Bad('["sgd", "momentum"]', '["sgd", "sgd"]', "algorithms", ('"sgd" is listed twice',)),
    Bad('["sgd", "momentum"]', '"sgd"', "algorithms", ("is not a list", "square brackets")),
    Bad(
        'algorithms = ["sgd", "momentum"]',
        'algorithms = ["momentum"]\nalgorithm = "sgd"',
        "algorithm",
        ("cannot be given together with algorithms",),
    ),
    Bad(
        'model = "fc_128"', 'model = "fc_128"\nmicro_batch = 8', "micro_batch", ("8", "belongs in [training]")
    ),
    Bad(
        'model = "fc_128"',
        'model = "fc_128"\noptimiser_name = "x"',
        "optimiser_name",
        ("no such key", "this table has"),
    ),
    Bad('model = "fc_128"', 'model = "fc_128"\nname = ""', "name", ("is empty",)),
    Bad(
        'model = "fc_128"',
        f'model = "fc_128"\nname = "{101 * "x"}"',
        "name",
        ("has 101 characters, and 100 are the most allowed",),
    ),
    Bad("steps = 2000", "steps = 4294967296", "budget.steps", ("is above 4294967295, the most allowed",)),
    Bad(
        "steps = 2000",
        "examples = 400000000000",
        "budget",
        ("is more than 4294967295 steps at batch size 8, 64; lower it",),
    ),
    Bad("[evaluation]", "[evalution]", "evalution", ("did you mean evaluation",)),
    # [goal]
    Bad('metric = "val/classification_error"\n', "", "goal.metric", ("is missing",)),
    Bad(
        "val/classification_error",
        "classification_error",
        "goal.metric",
        ("is not split/metric", 'did you mean "val/classification_error"'),
    ),
    Bad(
        "val/classification_error",
        "valid/classification_error",
        "goal.metric",
        ("is not split/metric", "val/classification_error"),
    ),
    Bad(
        "val/classification_error",
        "val/classification_eror",
        "goal.metric",
        ("not measured on digits", 'did you mean "val/classification_error"'),
    ),
    Bad(
        "val/classification_error",
        "val/average_precision",
        "goal.metric",
        ("not measured on digits", "val/cross_entropy_error"),
    ),
    Bad(
        "val/classification_error",
        "test/classification_error",
        "goal.metric",
        ("add test to evaluation.splits",),
    ),
    Bad("value = 0.05", "value = 5", "goal.value", ("5.0", "reached at once", "0.05")),
    Bad("value = 0.05", "value = 0", "goal.value", ("0.0", "cannot be reached")),
    Bad("value = 0.05", "value = nan", "goal.value", ("nan", "finite")),
    Bad("value = 0.05", 'value = "5 %"', "goal.value", ('"5 %"', "not a number")),
    Bad("value = 0.05", "value = true", "goal.value", ("true", "not a number")),
    Bad(
        "value = 0.05",
        "value = 0.05\nmaximize = true",
        "goal.maximize",
        ("wrong way round", "less classification_error is better"),
    ),
    Bad("value = 0.05", "value = 0.05\nmaximize = 1", "goal.maximize", ("1", "neither true nor false")),
    # [budget]
    Bad("steps = 2000", "", "budget", ("gives no amount", "steps, examples or epochs")),
    Bad("steps = 2000", "steps = 0", "budget.steps", ("0 is below 1",)),
    Bad("steps = 2000", "steps = 2e3", "budget.steps", ("2000.0", "write 2000")),
    Bad(
        "steps = 2000",
        "steps = 2000\nepochs = 3",
        "budget.epochs",
        ("3", "cannot be given together with steps"),
    ),
    Bad("steps = 2000", "examples = 100", "budget", ("less than one step", "512")),
    Bad("steps = 2000", "epochs = -1", "budget.epochs", ("-1", "is not above 0")),
    Bad("steps = 2000", "step = 2000", "budget.step", ("did you mean steps",)),
    Bad("[budget]\nsteps = 2000\n", "", "budget", ("is missing", "steps = 2000")),
    Bad(
        "steps = 2000",
        "steps = 2000\n[[budget.override]]\nbatch_sizes = [8]\n",
        "budget.override[0]",
        ("gives no amount",),
    ),
    Bad(
        "steps = 2000",
        "steps = 2000\n[[budget.override]]\nbatch_sizes = [8]\nsteps = 9\n[[budget.override]]\nbatch_sizes = [8]\nsteps = 5\n",
        "budget.override[1].batch_sizes",
        ("8", "earlier override"),
    ),
    # [evaluation]
    Bad("every = 20", "every = 0", "evaluation.every", ("0 is below 1",)),
    Bad(
        "every = 20",
        "every = 20\ncount = 3",
        "evaluation.count",
        ("cannot be given together with evaluation.every",),
    ),
    Bad(
        "every = 20",
        "every = 2001",
        "evaluation.every",
        ("2001", "more than the 2000 steps", "evaluation.count"),
    ),
    Bad(
        "every = 20",
        'every = 20\nsplits = ["val", "dev"]',
        "evaluation.splits[1]",
        ('"dev"', '"train", "val" or "test"'),
    ),
    Bad("every = 20", 'every = 20\nsplits = ["val", "val"]', "evaluation.splits", ('"val" is listed twice',)),
    Bad("every = 20", "every = 20\nsplits = []", "evaluation.splits", ("is empty",)),
    Bad(
        "every = 20",
        'every = 20\nat_start = "yes"',
        "evaluation.at_start",
        ('"yes"', "neither true nor false"),
    ),
    # [studies]
    Bad("[8, 64, 512]", "[]", "studies.batch_sizes", ("lists no batch size",)),
    Bad("[8, 64, 512]", "[8, 64, 8]", "studies.batch_sizes", ("8 is listed twice",)),
    Bad("[8, 64, 512]", "[0, 64]", "studies.batch_sizes", ("0 is not at least 1",)),
    Bad("[8, 64, 512]", "[64.0]", "studies.batch_sizes", ("64.0", "neither a list of whole numbers")),
    Bad("[8, 64, 512]", "64", "studies.batch_sizes", ("64", "neither a list")),
    Bad("[8, 64, 512]", '"8-512"', "studies.batch_sizes", ('"8-512"', "write 8..512")),
    Bad("[8, 64, 512]", '"2^1 to 2^5"', "studies.batch_sizes", ("write 2^1..2^5",)),
    Bad("value = 0.05", 'value = "10%"', "goal.value", ('"10%" is not a number; write 0.1',)),
    Bad("[8, 64, 512]", '"8..500"', "studies.batch_sizes", ("misses its end", "256", "512")),
    Bad("[8, 64, 512]", '"2^10..2^1"', "studies.batch_sizes", ("does not run upwards",)),
    Bad("[8, 64, 512]", '"8..512 *1"', "studies.batch_sizes", ("at least 2",)),
    Bad("[8, 64, 512]", '"2^40"', "studies.batch_sizes", ("more than 1073741824",)),
    Bad("trials = 24\n", "", "studies.trials", ("is missing", "trials = 24")),
    Bad("trials = 24", "trials = 0", "studies.trials", ("0 is below 1",)),
    Bad("trials = 24", 'trials = "24"', "studies.trials", ('"24"', "not a whole number")),
    Bad("trials = 24", "trails = 24", "studies.trails", ("did you mean trials",)),
    Bad("trials = 24", "trials = 24\nmax_trials = 20", "studies.max_trials", ("20", "below the 24 trials")),
    Bad("seed = 1", "seed = -1", "studies.seed", ("-1 is below 0",)),
    # [search]
    Bad(LR + "\n", "", "search.learning_rate", ("is missing", 'scale = "log"')),
    Bad(MOMENTUM + "\n", "", "search.momentum", ("is missing", "momentum needs it", "reverse_log")),
    Bad(
        "max = 0.999", "max = 1.0", "search.momentum.max", ("1.0 is not below 1", "1 - value on a log scale")
    ),
    # Outside what float32 can hold, in which training computes.
    Bad("min = 1e-3", "min = 1e-50", "search.learning_rate.min", ("is 0 in float32", "at least 1.18e-38")),
    Bad("max = 10.0", "max = 1e39", "search.learning_rate.max", ("is beyond float32", "3.4e+38")),
    Bad(LR, lr("1e-300"), "search.learning_rate", ("is 0 in float32",)),
    Bad(
        LR,
        lr('{ scale = "choice", values = [0.1, 1e40] }'),
        "search.learning_rate.values",
        ("1e40", "beyond float32"),
    ),
    Bad(
        "max = 0.999", "max = 0.999999999", "search.momentum.max", ("is not below 1 in float32", "becomes 1")
    ),
    Bad(LR, f"{LR}\nweight_decay = 1e-60", "search.weight_decay", ("is 0 in float32",)),
    Bad(LR, f"{LR}\ndropout = 0.99999999999", "search.dropout", ("is not below 1 in float32",)),
    Bad("max = 0.999", "max = 0.7", "search.momentum.min", ("0.8 is above max 0.7", "swap")),
    Bad("max = 0.999", "max = 0.8", "search.momentum.min", ("equals max", "= 0.8")),
    Bad("min = 1e-3", "min = 0", "search.learning_rate.min", ("0.0 is not above 0", "logarithm")),
    Bad("min = 1e-3", 'min = "1e-3"', "search.learning_rate.min", ('"1e-3"', "not a number")),
    Bad("min = 1e-3, ", "", "search.learning_rate.min", ("is missing", "min = 0.001")),
    Bad("min = 1e-3", "low = 1e-3, min = 1e-3", "search.learning_rate.low", ("no such key",)),
    Bad("max = 10.0", "max = inf", "search.learning_rate.max", ("inf", "finite")),
    Bad(LR, lr("{ min = 1e-3, max = 10.0 }"), "search.learning_rate.scale", ("is missing", 'scale = "log"')),
    Bad(
        LR,
        lr('{ scale = "lgo", min = 1e-3, max = 10.0 }'),
        "search.learning_rate.scale",
        ('"lgo"', 'did you mean "log"'),
    ),
    Bad(LR, lr("[0.1, 0.2]"), "search.learning_rate", ("is a list", 'scale = "choice", values = [0.1, 0.2]')),
    Bad(LR, lr('"0.1"'), "search.learning_rate", ('"0.1"', "neither a number nor a range")),
    Bad(LR, lr("-0.1"), "search.learning_rate", ("-0.1 is not above 0",)),
    Bad(
        LR,
        lr('{ scale = "choice", values = [0.1, 0.1] }'),
        "search.learning_rate.values",
        ("0.1 is listed twice",),
    ),
    Bad(LR, lr('{ scale = "choice", values = [] }'), "search.learning_rate.values", ("is empty",)),
    Bad(
        LR,
        lr('{ scale = "integer", min = 0.5, max = 3 }'),
        "search.learning_rate.min",
        ("0.5", "not a whole number"),
    ),
    Bad(MOMENTUM, "momentum = 1.0", "search.momentum", ("1.0 is not below 1",)),
    Bad(MOMENTUM, MOMENTUM + "\nmomemtum = 0.9", "search.momemtum", ("did you mean momentum",)),
    Bad(MOMENTUM, MOMENTUM + "\ndropout = 1", "search.dropout", ("is not below 1",)),
    Bad(
        MOMENTUM,
        MOMENTUM + "\nend_learning_rate_factor = 0.1",
        "search.end_learning_rate_factor",
        ("constant learning rate", 'schedule = "linear"'),
    ),
    Bad(
        f"{MOMENTUM}\n\n{TRAINING}",
        f'{MOMENTUM}\nlearning_rate_decay_steps = {{ scale = "log", min = 10, max = 20 }}\n[training]\nschedule = "linear"\n',
        "search.learning_rate_decay_steps.scale",
        ('"log"', "integer"),
    ),
    Bad(
        f"trials = 24\nseed = 1\n\n[search]\n{LR}\n{MOMENTUM}",
        f"[search]\n{LR}\npoints = [{{ learning_rate = 0.1, momentum = 0.9 }}]",
        "search.learning_rate",
        ("is a range, which search.points replaces",),
    ),
    Bad(
        f"trials = 24\nseed = 1\n\n[search]\n{LR}\n{MOMENTUM}",
        "[search]\npoints = [{ learning_rate = 0.1 }]",
        "search.points[0].momentum",
        ("is missing", "search.momentum"),
    ),
    Bad(
        f"seed = 1\n\n[search]\n{LR}\n{MOMENTUM}",
        "[search]\npoints = [{ learning_rate = 0.1, momentum = 0.9 }]",
        "studies.trials",
        ("24 is more than the 1 of search.points",),
    ),
    Bad(
        f"trials = 24\nseed = 1\n\n[search]\n{LR}\n{MOMENTUM}",
        "[search]\nmomentum = 0.9\npoints = [{ learning_rate = 0.1 }, { learning_rate = 0.2, dropout = 0.1 }]",
        "search.points[0].dropout",
        ("is missing", "another point has it"),
    ),
    Bad(
        f"trials = 24\nseed = 1\n\n[search]\n{LR}\n{MOMENTUM}",
        "[search]\npoints = [{ learning_rate = 0.1, momentum = 9 }]",
        "search.points[0].momentum",
        ("9.0 is not below 1",),
    ),
    Bad(TRAINING, "[[search.override]]\nbatch_sizes = [8]\n", "search.override[0]", ("replaces nothing",)),
    Bad(
        TRAINING,
        "[[search.override]]\nlearning_rate = 0.1\n",
        "search.override[0].batch_sizes",
        ("is missing",),
    ),
    Bad(
        TRAINING,
        "[[search.override]]\nbatch_sizes = [8]\nmomentum = -1\n",
        "search.override[0].momentum",
        ("-1", "below 0"),
    ),
    Bad(
        TRAINING,
        "[[search.override]]\nbatch_sizes = [8, 64]\nmomentum = 0.5\n[[search.override]]\nbatch_sizes = [64]\nmomentum = 0.6\n",
        "search.override[1].momentum",
        ("batch size 64", "search.override[0]"),
    ),
    # [training] and [infeasible]
    Bad("micro_batch = 256", "micro_batch = 0", "training.micro_batch", ("0 is below 1",)),
    Bad(
        "micro_batch = 256",
        'schedule = "cosine"',
        "training.schedule",
        ('"cosine"', '"constant" or "linear"'),
    ),
    Bad("micro_batch = 256", 'stop = "gaol"', "training.stop", ('"gaol"', 'did you mean "goal"')),
    Bad("micro_batch = 256", 'stop = ["goal"]', "training.stop", ("is not allowed", '"beaten"')),
    Bad("micro_batch = 256", "batch_sizes = [1]", "training.batch_sizes", ("belongs in [studies]",)),
    Bad(
        "micro_batch = 256",
        "micro_batch = 256\n[infeasible]\nloss_above = 0",
        "infeasible.loss_above",
        ("is not above 0",),
    ),
    # Not TOML at all.
    Bad("steps = 2000", "steps = ", "line 10, column 9", ("invalid value", "`steps =`", "not TOML")),
    Bad("[budget]", "[budget", "line 9, column 8", ("expected ']'",)),
    Bad("value = 0.05", "value = 0.05\nvalue = 0.06", "line 8, column 13", ("cannot overwrite",)),
]
