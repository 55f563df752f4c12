"""`hvdsweep curve` and `hvdsweep best` from outside: what they print, where, and with which exit code."""

import csv
import io
import json
import subprocess
import sys

import pytest

from hvdsweep.cli import main
from hvdsweep.states import Status, StopReason
from hvdsweep.store.connection import connect

from . import database
from .oracle import Study, Trial

SEARCH = {
    "learning_rate": {"scale": "log", "min": 0.001, "max": 10.0},
    "momentum": {"scale": "linear", "min": 0.0, "max": 0.9},
}


def planted(s_min=200.0, sizes=(8, 16, 32, 64, 128, 256, 512)):
    """Five complete trials and a diverged one per batch size; B_crit 100, learning rate proportional to B."""
    studies = []
    for size in sizes:
        best = round(s_min * (1 + 100 / size))
        trials = [
            Trial(
                n,
                [(0, 0.9), (best + 10 * n, 0.4), (3 * best, 0.2)],
                steps=10_000,
                parameters={"learning_rate": 0.0005 * size, "momentum": 0.5},
            )
            for n in range(5)
        ]
        trials.append(Trial(7, [], status=Status.INFEASIBLE, stop_reason=StopReason.DIVERGED))
        studies.append(Study(size, trials, train_steps=10_000, target_trials=5))
    return studies


@pytest.fixture
def db(tmp_path):
    workloads = {"digits/fc_128/sgd": planted(), "digits/fc_128/momentum": planted(100.0)}
    return database.write(tmp_path / "x.db", workloads, search=SEARCH)


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command line: (exit code, stdout, stderr)."""

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["hvdsweep", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    return command


def plain(run, *arguments):
    code, out, err = run(*arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


TABLE = """\
digits/fc_128/sgd   val/classification_error < 0.5

Scales perfectly up to about 30 (27 to 39); steps still fall at 512, the largest: where scaling ends is not
seen.

batch size  steps   95 % interval  examples  overhead  region               reached  diverged  best
         8  2,700  2,662 to 2,739     21.6k      +0 %  perfect scaling          5/5         1   0.2
        16  1,450  1,419 to 1,481     23.2k      +7 %  perfect scaling          5/5         1   0.2
        32    825      799 to 852     26.4k     +22 %  undecided                5/5         1   0.2
        64    512      488 to 537     32.8k     +52 %  diminishing returns      5/5         1   0.2
       128    356      332 to 382     45.6k    +111 %  diminishing returns      5/5         1   0.2
       256    278      250 to 309     71.2k    +229 %  diminishing returns      5/5         1   0.2
       512    239      199 to 287      122k    +467 %  undecided                5/5         1   0.2
95 % interval: the best of a repeated search with as many trials, from the scatter about the fit
"""


def test_the_table_for_people(run, db):
    """One row per batch size, then the findings with the rules they were found by."""
    code, out, err = run("curve", "--db", db, "digits/fc_128/sgd", "--no-chart")
    assert (code, err) == (0, "")
    table, _, findings = out.partition("\n\nmaximum")
    assert table + "\n" == TABLE
    assert "useful batch size  at least 512" in findings
    assert "smallest B with S(B) <= 1.1 min S" in findings
    assert "critical batch size        29.7 (95 %: 26.9 to 38.6)\n" in findings
    assert "B_crit 100" in findings
    assert "lack of fit 0.032 % (rms), 2.3 % by the trials' scatter alone" in findings
    assert "warning" not in findings


def test_the_chart(run, db):
    """A log-log chart with goal, regions and perfect scaling; pure ASCII on request."""
    code, out, _ = run("curve", "--db", db, "digits/fc_128/sgd", "--useful-tolerance", "0.4")
    assert code == 0
    for words in (
        "val/classification_error < 0.5",
        "perfect scaling",
        "maximal",
        "max useful 256",
        "batch size",
    ):
        assert words in out.split("\n\n")[-1]
    _, out, _ = run("curve", "--db", db, "digits/fc_128/sgd", "--ascii")
    assert out.rpartition("\n\n")[2].isascii()
    _, out, _ = run("curve", "--db", db, "digits/fc_128/sgd", "--examples")
    assert "examples to the goal" in out
    assert out.splitlines()[6].split()[:6] == ["8", "21.6k", "21.3k", "to", "21.9k", "2,700"]


def test_json_is_the_contract(run, db):
    """A list with one object per workload: points with steps, or null where the goal was not reached."""
    found = plain(run, "curve", "--db", db)
    assert [one["workload"] for one in found] == ["digits/fc_128/sgd", "digits/fc_128/momentum"]
    assert [point["steps"] for point in found[0]["points"]] == [2700, 1450, 825, 512, 356, 278, 239]
    assert found[0]["fit"]["b_crit"]["value"] == pytest.approx(100, rel=0.01)
    assert found[0]["max_useful_batch_size"] == 512
    assert (found[0]["sweep"], found[0]["goal"], found[0]["maximize"]) == (1, 0.5, False)
    (hard,) = plain(run, "curve", "--db", db, "sgd", "--goal", "0.1")
    assert {point["steps"] for point in hard["points"]} == {None}
    assert hard["fit"] == {"reason": "only 0 batch sizes reached the goal; a fit needs 3"}
    assert (hard["max_useful_batch_size"], hard["critical"], hard["max_useful"]) == (None, None, None)


def test_budgets_trials_and_goals(run, db):
    """Budgets cut off, several goals give several curves, too many trials is an error that says how many there are."""
    (cut,) = plain(run, "curve", "--db", db, "fc_128/sgd", "--step-budget", 400)
    assert [point["steps"] for point in cut["points"]] == [None] * 4 + [356, 278, 239]
    (cut,) = plain(run, "curve", "--db", db, "fc_128/sgd", "--example-budget", 30_000)
    assert [point["steps"] for point in cut["points"]] == [2700, 1450, 825] + [None] * 4
    both = plain(run, "curve", "--db", db, "fc_128/sgd", "--goal", "0.5", "--goal", "0.3")
    assert [one["points"][0]["steps"] for one in both] == [2700, 8100]
    code, out, err = run("curve", "--db", db, "fc_128/sgd", "--num-trials", 6)
    assert (code, out) == (2, "")
    assert "batch size 8: num_trials: 6: there are only 5 COMPLETE trials" in err


def test_csv(run, db):
    """One header, one row per batch size of every workload."""
    code, out, _ = run("curve", "--db", db, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert (code, len(rows)) == (0, 14)
    assert (rows[0]["workload"], rows[0]["steps"], rows[0]["learning_rate"]) == (
        "digits/fc_128/sgd",
        "2700",
        "0.004",
    )


def test_normalised(run, db):
    """Divided by the steps at B; a B without steps is refused."""
    (one,) = plain(run, "curve", "--db", db, "fc_128/sgd", "--normalise", 64)
    assert one["points"][0]["normalised"] == pytest.approx(2700 / 512)
    code, _, err = run("curve", "--db", db, "fc_128/sgd", "--normalise", 7)
    assert code == 2
    assert "normalise: batch size 7" in err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("digits", "fits several: digits/fc_128/momentum, digits/fc_128/sgd"),
        ("digits/fc_127/sgd", "is not in the database. There is digits/fc_128/sgd"),
    ],
)
@pytest.mark.parametrize("command", ["curve", "best"])
def test_names_that_do_not_fit(run, db, command, name, message):
    """A name that fits no workload, or several, is answered with those there are."""
    code, out, err = run(command, "--db", db, name)
    assert (code, out) == (2, "")
    assert message in err


def test_the_beginning_of_a_name_counts_before_its_middle(run, tmp_path):
    """`mnist/` is the beginning of one workload and inside another: the one that begins so is meant."""
    path = database.write(
        tmp_path / "n.db", {"fashion_mnist/fc_1/sgd": planted(), "mnist/fc_1/sgd": planted()}
    )
    assert [one["workload"] for one in plain(run, "curve", "--db", path, "mnist/")] == ["mnist/fc_1/sgd"]
    assert [one["workload"] for one in plain(run, "curve", "--db", path, "fashion")] == [
        "fashion_mnist/fc_1/sgd"
    ]


@pytest.mark.parametrize("command", ["curve", "best"])
def test_no_database_and_no_data_yet(run, tmp_path, command):
    """A missing file and an empty store say what to do; studies without trials are shown as such."""
    code, _, err = run(command, "--db", tmp_path / "none.db")
    assert code == 2
    assert "no such database" in err
    connect(tmp_path / "empty.db", create=True).close()
    code, _, err = run(command, "--db", tmp_path / "empty.db")
    assert code == 2
    assert "holds no sweep yet. `hvdsweep launch WORKLOAD`" in err
    young = database.write(tmp_path / "young.db", {"a/b/sgd": [Study(8, [], target_trials=4)]})
    code, out, _ = run(command, "--db", young)
    assert code == 0
    assert "0 of 4 trials complete" in out
    assert "> " not in out


def test_the_environment_names_the_database(run, db, monkeypatch):
    """$HVDSWEEP_DB stands in for --db."""
    monkeypatch.setenv("HVDSWEEP_DB", str(db))
    assert len(plain(run, "curve")) == 2


def test_a_sweep_with_results_before_an_empty_newer_one(run, db):
    """A newer sweep without a finished trial hides no answer: which sweep of which is on stderr, asked for or not."""
    database.write(db, {"digits/fc_128/sgd": [Study(8, [], target_trials=4)]}, sweep="second")
    for asked in ([], ["digits/fc_128/sgd"]):
        code, out, err = run("curve", "--db", db, *asked, "--json")
        assert (code, {one["sweep"] for one in json.loads(out)}) == (0, {1})
        assert "digits/fc_128/sgd: is in sweeps 1, 2; this is the newest with a finished trial, 1" in err
    assert plain(run, "curve", "--db", db, "--sweep", 2)[0]["sweep"] == 2


def test_the_newest_of_several_sweeps(run, db, tmp_path):
    """A workload of two sweeps is taken from the newest, which stderr names; --sweep chooses."""
    file = tmp_path / "second.toml"
    file.write_text("# the sweep file need not be readable once the database knows it")
    database.write(db, {"digits/fc_128/sgd": planted(300.0)}, sweep="second", file=str(file))
    code, out, err = run("curve", "--db", db, "digits/fc_128/sgd", "--json")
    assert (code, json.loads(out)[0]["sweep"]) == (0, 2)
    assert "is in sweeps 1, 2; this is the newest, 2" in err
    assert plain(run, "curve", "--db", db, "digits/fc_128/sgd", "--sweep", 1)[0]["points"][0]["steps"] == 2700
    assert [one["sweep"] for one in plain(run, "curve", "--db", db, file)] == [2]
    code, out, err = run("curve", "--db", db, "--json")
    assert (code, sorted(one["sweep"] for one in json.loads(out))) == (0, [1, 2])
    assert "is in sweeps 1, 2; this is the newest, 2" in err
    code, _, err = run("curve", "--db", db, "--sweep", 9)
    assert code == 2
    assert "no such sweep; there are 1 (sweep), 2 (second)" in err


def test_a_sweep_file_that_was_launched_from_elsewhere(run, db, tmp_path):
    """The file names its workloads even where the database does not know its path."""
    file = tmp_path / "moved.toml"
    file.write_text(
        'dataset = "digits"\nmodel = "fc_128"\nalgorithms = ["sgd", "nesterov_momentum"]\n'
        '[goal]\nmetric = "val/classification_error"\nvalue = 0.5\n[budget]\nsteps = 100\n'
        "[studies]\nbatch_sizes = [8]\ntrials = 2\n[search]\nlearning_rate = 0.1\nmomentum = 0.9\n"
    )
    assert [one["workload"] for one in plain(run, "curve", "--db", db, file)] == ["digits/fc_128/sgd"]


def test_many_workloads_are_one_line_each(run, tmp_path):
    """With none named and more than fit a screen, the overview; a workload without a goal is left out, and said."""
    path = database.write(tmp_path / "m.db", {f"digits/fc_{n}/sgd": planted() for n in range(5)})
    database.write(path, {"other/fc_1/sgd": planted()}, goal=None, sweep="imported")
    code, out, err = run("curve", "--db", path)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split()[:2] == ["workload", "goal"]
    assert [line.split()[0] for line in lines[1:6]] == [f"digits/fc_{n}/sgd" for n in range(5)]
    expected = "the sweep names no goal; give one (--goal X) between 0.9 and 0.2, the best that was measured"
    assert f"other/fc_1/sgd: val/classification_error: {expected}" in err
    code, _, _ = run("curve", "--db", path, "other/fc_1/sgd")
    assert code == 2
    assert len(plain(run, "curve", "--db", path, "--goal", "0.5")) == 6


def test_running_trials_count_when_asked(run, tmp_path):
    """--status running shows what a trial has reached while it is running."""
    studies = [Study(8, [Trial(0, [(5, 0.1)], status=Status.RUNNING, stop_reason=StopReason.NONE)])]
    path = database.write(tmp_path / "r.db", {"a/b/sgd": studies})
    assert plain(run, "curve", "--db", path)[0]["points"][0]["steps"] is None
    live = plain(run, "curve", "--db", path, "--status", "complete", "--status", "running")
    assert live[0]["points"][0]["steps"] == 5


def test_maximize_turns_the_question_round(run, db):
    """The other direction is answered from the measurements: all trials start at 0.9, above 0.5."""
    (one,) = plain(run, "curve", "--db", db, "fc_128/sgd", "--maximize", "--goal", "0.5")
    assert {point["steps"] for point in one["points"]} == {0}


def test_time_to_goal_from_measured_speeds(run, db):
    """Measured speeds give hours; a speed measured on purpose counts more than a later one of trials, and that of a gang with
    the machine to itself more than a later one of a gang among others."""
    conn = connect(db)
    with conn:
        for time, size, np, gangs, speed, source in [
            (1, 64, 2, 1, 50.0, "scale"),
            (2, 64, 2, 1, 10.0, "trial"),
            (3, 8, 1, 1, 100.0, "trial"),
            (4, 8, 1, 2, 30.0, "trial"),
        ]:
            conn.execute(
                "INSERT INTO throughput (time, workload, batch_size, np, gangs, steps, seconds, steps_per_second,"
                " examples_per_second, source) VALUES (?, 'digits/fc_128/sgd', ?, ?, ?, 1, 1, ?, 1, ?)",
                (time, size, np, gangs, speed, source),
            )
    conn.close()
    (one,) = plain(run, "curve", "--db", db, "fc_128/sgd")
    assert [(c["batch_size"], c["np"], c["seconds"], c["worker_seconds"]) for c in one["time_to_goal"]] == [
        (8, 1, 27.0, 27.0),
        (64, 2, 512 / 50, 2 * 512 / 50),
    ]
    _, out, _ = run("curve", "--db", db, "fc_128/sgd", "--no-chart")
    assert "fastest                    batch size 64 on 2 ranks: 10 s to the goal, 20 s of one rank" in out


def test_best_metaparameters(run, db):
    """The best trial's metaparameters with both heuristics, and the exponent they grow with."""
    (one,) = plain(run, "best", "--db", db, "fc_128/sgd")
    first, last = one["points"][0], one["points"][-1]
    assert first["parameters"] == {"learning_rate": 0.004, "momentum": 0.5}
    assert first["effective_learning_rate"] == pytest.approx(0.008)
    assert last["linear_heuristic"] == pytest.approx(0.512)
    assert last["square_root_heuristic"] == pytest.approx(0.064)
    assert one["scaling"]["effective_learning_rate"]["exponent"] == pytest.approx(1.0)
    found = first["best_of"]
    assert (found["k"], found["median_steps"]) == ([1, 2, 4, 5], [2720, 2710, 2700, 2700])
    assert found["expected_steps"] == pytest.approx([2720, 2710, 2702, 2700])
    assert found["probability"] == pytest.approx([1, 1, 1, 1])
    code, out, _ = run("best", "--db", db, "fc_128/sgd")
    assert code == 0
    assert out.splitlines()[3].split() == [
        "8",
        "2,700",
        "0",
        "0.004",
        "0.5",
        "0.008",
        "0.008",
        "0.008",
        "0.2",
        "+0",
        "%",
    ]
    assert "effective learning rate of the best trials grows as B^1.00" in out


def test_best_warns_at_the_boundary(run, tmp_path):
    """A best learning rate at the end of its log range is named with value and range, by batch size."""
    search = {"learning_rate": {"scale": "log", "min": 0.0041, "max": 10.0}}
    path = database.write(tmp_path / "b.db", {"a/b/sgd": planted(sizes=(8, 512))}, search=search)
    (one,) = plain(run, "best", "--db", path)
    assert [[w["kind"] for w in point["warnings"]] for point in one["points"]] == [["boundary"], []]
    _, out, _ = run("best", "--db", path)
    assert "warning: batch size 8: best learning_rate 0.004 is within 5% of the lower end" in out


def test_best_where_the_goal_was_not_reached(run, db):
    """The trial that came nearest is shown, its steps are a bound, and no heuristic uses it."""
    (one,) = plain(run, "best", "--db", db, "fc_128/sgd", "--goal", "0.1")
    assert one["points"][0]["parameters"] == {"learning_rate": 0.004, "momentum": 0.5}
    assert one["points"][0]["linear_heuristic"] is None
    assert one["scaling"] == {}
    _, out, _ = run("best", "--db", db, "fc_128/sgd", "--goal", "0.1")
    assert "> 10,000" in out


def test_curve_starts_light(db):
    """The whole command loads neither TensorFlow nor Textual, scipy, pandas, pydantic or rich, which 0.5 s leave no
    time for."""
    code = (
        "import sys; from hvdsweep.cli import main; sys.argv = ['hvdsweep', *sys.argv[1:]]\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'horovod', 'textual', 'scipy', 'pandas', 'pydantic', 'rich', 'matplotlib',"
        " 'sqlite_utils'}\n"
        "print('LOADED', sorted(heavy & {name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    for command in ("curve", "best"):
        ran = subprocess.run(
            [sys.executable, "-c", code, command, "--db", str(db)], capture_output=True, text=True, check=True
        )
        assert ran.stderr.splitlines()[-1] == "LOADED []"
        assert "digits/fc_128/sgd" in ran.stdout


def said(run, path, command, studies):
    code, out, _ = run(command, "--db", database.write(path, {"a/b/sgd": studies}))
    assert code == 0
    return out


def diverged(number):
    return Trial(number, [(0, 0.9)], steps=3, status=Status.INFEASIBLE, stop_reason=StopReason.DIVERGED)


def test_a_curve_of_nothing_but_diverged_trials_says_so(run, tmp_path):
    """Without a best value none is named, and columns that are not shown are not explained."""
    studies = [Study(8, [diverged(0), diverged(1)], train_steps=100, target_trials=2)]
    out = said(run, tmp_path / "x.db", "curve", studies)
    assert "all diverged" in out
    assert "every trial that has ended diverged. Smaller learning rates may not." in out
    assert "half search" not in said(run, tmp_path / "y.db", "best", studies)
    out = said(run, tmp_path / "z.db", "curve", [Study(8, [], train_steps=100, target_trials=2)])
    assert "no trial that counts has ended yet." in out


def test_a_goal_reached_before_training_measures_nothing(run, tmp_path):
    """Steps of 0 give no maximum useful batch size and no region, but the advice to choose a stricter goal."""
    at_start = [Trial(n, [(0, 0.3), (10, 0.2)], steps=100) for n in range(3)]
    later = [Trial(n, [(0, 0.9), (10, 0.2)], steps=100) for n in range(3)]
    out = said(run, tmp_path / "x.db", "curve", [Study(8, later, 100), Study(16, at_start, 100)])
    assert "reached at the start" in out
    assert "use a stricter goal (--goal X)" in out
    assert "maximum useful" not in out
    assert "warning: batch size 16: the initial weights reach the goal" in out


@pytest.mark.parametrize(("trials", "words"), [(1, "only 1 trial counts"), (2, "only 2 trials count:")])
def test_few_trials_are_few_even_if_all_reached_the_goal(run, tmp_path, trials, words):
    """Where no trial failed to reach the goal, the warning is of how few there are."""
    studies = [Study(8, [Trial(n, [(0, 0.9), (10, 0.2)], steps=100) for n in range(trials)], 100)]
    assert words in said(run, tmp_path / "x.db", "best", studies)


def test_csv_and_json_at_once_is_no_question(run, db):
    """Stdout can hold only one of them; both together are refused before anything is read."""
    code, out, err = run("curve", "--db", db, "--csv", "--json")
    assert (code, out) == (2, "")
    assert "--csv and --json exclude each other" in err


def test_a_goal_without_steps_to_divide_by_is_left_out(run, db):
    """Of several goals with --normalise those that the batch size reached are shown; the other is named on stderr."""
    code, out, err = run(
        "curve", "fc_128/sgd", "--db", db, "--json", "--normalise", 8, "--goal", 0.5, "--goal", 0.1
    )
    assert code == 0
    assert [one["goal"] for one in json.loads(out)] == [0.5]
    assert "at goal 0.1" in err
    code, _, err = run("curve", "fc_128/sgd", "--db", db, "--normalise", 8, "--goal", 0.1)
    assert code == 2
    assert "batch size 8" in err


def test_budgets_may_be_fractions(run, db):
    """A budget in fractions of a step is rounded down to whole steps."""
    best = 200 + 200 * 100 // 8

    def steps(budget):
        out = run("curve", "fc_128/sgd", "--db", db, "--json", "--step-budget", budget)[1]
        return json.loads(out)[0]["points"][0]["steps"]

    assert [steps(best - 0.5), steps(best), steps(best + 0.5)] == [None, best, best]


def test_the_best_at_equal_budgets(run, db):
    """A column per budget: the best value within it, nothing where a study trained less; the same numbers as JSON and CSV."""
    asked = ("curve", "fc_128/sgd", "--db", db, "--at-budget", "1000", "--at-budget", "80000 examples")
    code, out, _ = run(*asked, "--json")
    assert code == 0
    (found,) = json.loads(out)
    first, second = found["at_budget"]
    assert (first["unit"], first["budget"], second["unit"]) == ("steps", 1000, "examples")
    # 0.4 at `best` steps, 0.2 at three times as many.
    expected = []
    for size in first["batch_sizes"]:
        best = round(200 * (1 + 100 / size))
        expected.append(0.2 if 3 * best <= 1000 else 0.4 if best <= 1000 else 0.9)
    assert first["values"] == expected
    assert second["values"][0] == 0.2
    assert first["best_batch_size"] == first["batch_sizes"][expected.index(0.2)]
    text = run(*asked)[1]
    assert "best batch size" in text
    assert "at equal budgets" in text
    assert run(*asked, "--csv")[1].startswith("part,panel,series,x,y")
    assert run("curve", "--db", db, "--at-budget", "soon")[0] == 2


def test_the_scaling_law_of_two_workloads(run, db):
    """Critical batch sizes against the data's sizes, and the power law that goes through both."""
    conn = connect(db)
    conn.execute("UPDATE workloads SET train_examples = 4000 WHERE name LIKE '%momentum'")
    conn.close()
    code, out, err = run("figure", "scaling-law", "--db", db, "--json")
    assert code == 0, err
    (panel,) = json.loads(out)["panels"]
    (line,) = panel["series"]
    assert panel["x"]["title"] == "training examples"
    assert line["x"] == [1000, 4000]
    (law,) = panel["references"]
    assert law["label"].startswith("B* = ")
    assert [y for _, y in law["points"]] == pytest.approx(line["y"])
    assert run("figure", "scaling-law", "--db", db, "--against", "model")[0] == 2
