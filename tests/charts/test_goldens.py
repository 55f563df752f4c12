"""What people see: whole charts as plain text, to be read in review."""

import numpy as np

from hvdsweep.charts import Annotation, Axis, Band, Chart, Reference, Series, render

BATCH = 2.0 ** np.arange(3, 17)
NOISE = np.array([1.0, 1.05, 0.96, 1.02, 0.98, 1.04, 0.97, 1.0, 1.03, 0.97, 1.02, 1.0, 1.0, 1.0])
STEPS = 1000 * (1 + 1500 / BATCH) * NOISE


def scaling():
    """Steps to goal of one workload: error bars, regions, perfect scaling, two batch sizes that never got there."""
    steps = np.append(STEPS[:-2], [2000.0, 2000.0])
    censored = np.arange(len(BATCH)) >= len(BATCH) - 2
    low, high = np.where(censored, np.nan, steps / 1.25), np.where(censored, np.nan, steps * 1.5)
    workload = Series("resnet_8/cifar_10", BATCH, steps, y_low=low, y_high=high, censored=censored)
    return Chart(
        series=(workload,),
        x=Axis("log2", title="batch size"),
        y=Axis("log10", title="steps to goal"),
        title="Steps to goal: resnet_8 on cifar_10, Nesterov momentum",
        subtitle="val/classification_error ≤ 0.30, best of 100 trials at each batch size",
        references=(Reference("perfect scaling", function=lambda b: steps[0] * BATCH[0] / b),),
        bands=(
            Band(None, 128, "perfect scaling"),
            Band(128, 8192, "diminishing returns"),
            Band(8192, None, "no gain"),
        ),
        annotations=(Annotation(8192, steps[10], "maximum useful 8k"),),
    )


def losses():
    """A running trial: a noisy loss per step, its evaluations with a gap, the goal."""
    step = np.arange(1.0, 6001.0)
    loss = 2.3 * np.exp(-step / 1500) + 0.06 + 0.05 * np.sin(step * 2.4) * np.exp(-step / 3000)
    at = np.arange(0.0, 6001.0, 250.0)
    error = 0.9 * np.exp(-at / 1500) + 0.04
    error[8:11] = np.nan
    return Chart(
        series=(Series("loss", step, loss), Series("val/classification_error", at, error)),
        x=Axis("linear", title="step"),
        y=Axis("log10"),
        title="Trial 7: digits/fc_128/momentum, batch size 64",
        references=(Reference("goal 0.05", horizontal=0.05, color="goal"),),
    )


def trials():
    """Where trials of one study lie and how they ended."""
    points = np.arange(1, 25)
    rate, rest = 10.0 ** (-4 + 4 * (points * 0.618 % 1)), 10.0 ** (-3 + 3 * (points * 0.414 % 1))
    bad = rate > 8 * rest
    return Chart(
        series=(
            Series("complete", rate[~bad], rest[~bad], line=False, marker="●"),
            Series("infeasible", rate[bad], rest[bad], line=False, marker="×"),
            Series("best", rate[[4]], rest[[4]], line=False, marker="★"),
        ),
        x=Axis("log10", title="learning rate"),
        y=Axis("log10", title="1 - momentum"),
        title="Batch size 64: 24 trials",
    )


def check(drawing, expected):
    assert drawing.split("\n") == expected.strip("\n").split("\n")


def test_a_scaling_curve_on_eighty_columns():
    """The chart that the product is about, in the smallest usual terminal."""
    check(
        render(scaling(), 80, 24).plain(),
        r"""
Steps to goal: resnet_8 on cifar_10, Nesterov momentum
val/classification_error ≤ 0.30, best of 100 trials at each batch size
steps to goal                       ─✚─ resnet_8/cifar_10   ╌╌╌ perfect scaling
          perfect scaling          diminishing returns            no gain
     │⢄  ┬                   ┊                              ┊
     │ ⠑⠢✚                   ┊                              ┊
     │   ┴⠑⢄⡀ ┬              ┊                              ┊
100k ┤   ·  ⠈⠒✚⡀   ·    ·    ┊    ·    ·     ·    ·    ·    ┊    ·    ·    ·
     │        ┴⠈⠢⢄ ┬         ┊                              ┊
     │            ⠑✚⣀        ┊                              ┊
     │             ┴ ⠑⠤⡀┬    ┊                              ┊
     │                 ⠈✚⠤⡀  ┊                              ┊
     │                    ⠈⠒⢄┬                              ┊
 10k ┤   ·    ·    ·    ·    ✚⠒⠤⡀ ┬    ·     ·    ·    ·    ┊    ·    ·    ·
     │                       ┊ ⠈⠈⠑✚⣀                        ┊
     │                       ┊    ┴ ⠑⠤⡀┬                    ┊
     │                       ┊       ⠈⠈✚⠢⠤⣀  ┬              ┊
     │                       ┊           ⠢⣀⠉⠑✚⠤⣀⡀ ┬ maximum useful 8k ↑    ↑
     │                       ┊             ⠑ ┴  ⠈⠑✚⠤⢄⣀⡀┬    ┬    ┬ ⢀⡠⠔✛⠉⠉⠉⠉✛
  1k ┤   ·    ·    ·    ·    ┊    ·    ·     ·⠒⢄⡀ ·   ⠈✚⠉⠑⠒⠒✚⠒⠢⠤⠤✚⠊⠁  ·    ·
     │                       ┊                  ⠈  ⡀        ┊    ┴
     └───┬────┬────┬────┬────┬────┬────┬─────┬────┬────┬────┬────┬────┬────┬───
         8    16   32   64  128  256  512    1k   2k   4k   8k  16k  32k  64k
                                     batch size
""",
    )


def test_a_scaling_curve_on_a_large_terminal():
    """The same with room: every batch size has its label."""
    check(
        render(scaling(), 120, 32).plain(),
        r"""
Steps to goal: resnet_8 on cifar_10, Nesterov momentum
val/classification_error ≤ 0.30, best of 100 trials at each batch size
steps to goal                                                               ─✚─ resnet_8/cifar_10   ╌╌╌ perfect scaling
                perfect scaling                         diminishing returns                          no gain
     │                                    ┊                                               ┊
     │⠉⠢⢄  ┬                              ┊                                               ┊
     │     ✚⡀                             ┊                                               ┊
     │     ┴⠈⠒⠤⡀   ┬                      ┊                                               ┊
     │         ⠈⠑⠤⣀│                      ┊                                               ┊
100k ┤     ·     ⠈⠑✚⢄⡀    ·       ·       ┊       ·       ·       ·       ·       ·       ┊       ·      ·       ·
     │             ┴ ⠈⠢⡀  ┬               ┊                                               ┊
     │                 ⠈⠢⢄│               ┊                                               ┊
     │                    ✚⠤⣀             ┊                                               ┊
     │                    ┴  ⠉⠢⢄⡀ ┬       ┊                                               ┊
     │                          ⠈⠑✚⣀      ┊                                               ┊
     │                            ┴ ⠑⠢⡀   ┬                                               ┊
     │                                ⠈⠑⠤⡀│                                               ┊
     │                                   ⠈✚⠤⣀                                             ┊
 10k ┤     ·       ·      ·       ·       ┴  ⠉⠢⢄⡀ ┬       ·       ·       ·       ·       ┊       ·      ·       ·
     │                                    ┊   ⠈⠑⠈⠑✚⣀                                      ┊
     │                                    ┊       ┴⠤⠑⠢⢄   ┬                               ┊
     │                                    ┊         ⠈⠒ ⠉⠢⢄│                               ┊
     │                                    ┊             ⠒⢄✚⠑⠢⢄⡀   ┬                       ┊
     │                                    ┊               ⠈   ⠈⠑⠢⢄✚       ┬               ┊              ↑       ↑
     │                                    ┊                  ⠉⠢⢄  ┴⠉⠑⠒⠤⠤⣀⡀│       ┬       ┬             ⢀✛⠤⠤⠤⠤⠤⠤⠤✛
     │                                    ┊                       ⢄      ⠈✚⠒⠒⠤⠤⣀⣀ │       │       ┬  ⣀⠤⠊⠁
     │                                    ┊                        ⠑⠢            ⠉✚⠉⠒⠒⠒⠒⠤⠤✚⠤⠤⠤⣀⣀⣀⣀✚⠔⠊
  1k ┤     ·       ·      ·       ·       ┊       ·       ·       ·    ⠢⣀ ·       ┴       ┴       ┴      ·       ·
     │                                    ┊                              ⠑                ┊ maximum useful 8k
     └─────┬───────┬──────┬───────┬───────┬───────┬───────┬───────┬───────┬───────┬───────┬───────┬──────┬───────┬─────
           8       16     32      64     128     256     512      1k      2k      4k      8k     16k    32k     64k
                                                         batch size
""",
    )


def test_a_scaling_curve_in_ascii():
    """For fonts without braille and box drawing."""
    check(
        render(scaling(), 72, 20, ascii=True).plain(),
        r"""
Steps to goal: resnet_8 on cifar_10, Nesterov momentum
val/classification_error <= 0.30, best of 100 trials at each batch size
steps to goal               -%- resnet_8/cifar_10   - - perfect scaling
         perfect scaling       diminishing returns         no gain
     |-.-                  :                          :
     | '%-_  -             :                          :
100k +     '-%.       .    :   .        .        .    :   .         .
     |       -''..-        :                          :
     |           '%.. -    :                          :
     |              ''%_   :                          :
     |                -''--%                          :
 10k +       .        .    -'-.-        .        .    :   .         .
     |                     :   %--_ -                 :
     |                     :     ' '%-_ -     maximum useful 8k
     |                     :        ''-'%---_%   -    -       .^----^
     |                     :             -_  -''-%----%-._%.-''
  1k +       .        .    :   .        .  '  .  -    -   -         .
     +-------+--------+--------+--------+--------+--------+---------+--
             16       64      256       1k       4k      16k       64k
                                 batch size
""",
    )


def test_a_scaling_curve_on_forty_by_ten():
    """A corner of a tmux window is enough to read the shape and both axes."""
    check(
        render(scaling(), 40, 10).plain(),
        r"""
Steps to goal: resnet_8 on cifar_10, Ne…
✚ resnet_8/cifar_10   ╌ perfect scaling
     │⠒✚⡀┬      ┊             ┊
100k ┤ ·⠈✚⠢⢄✚ · ┊    ·      · ┊    ·
     │      ┴⠒✚⣀┬     maximum useful 8k
 10k ┤ ·      · ✚⠑⠢✚ ┬      · ┊    ↑ ↑
     │          ┊   ⠉✚⠢✚⣀┬  ┬ ┊    ✛⣀✛
  1k ┤ ·      · ┊    · ⠑ ✚⠉⠒✚⠒✚⠢✚⠒⠉·
     └─┬──────┬──────┬──────┬──────┬───
       8      64    512     4k    32k
""",
    )


def test_a_running_trial():
    """Noise shows as a band, the gap in the evaluations stays open, the goal is in sight."""
    check(
        render(losses(), 80, 20).plain(),
        r"""
Trial 7: digits/fc_128/momentum, batch size 64
                                        ─◆─ loss   ─✦─ val/classification_error
     │   ⣀⡀
   2 ┤   ⠈⠙⠛◆⣤⣄⡀    ·          ·          ·          ·          ·          ·
     │        ⠈⠙⠛⠶⣤⣄⡀
   1 ┤   ·         ⠈⠙⠻⠶⣦⣄⣀     ·          ·          ·          ·          ·
     │   ✦⠒⠢✦⣀          ⠈⠙⠛⠶⣦⣤⣀
     │        ✦⠑⠒✦⢄⡀         ⠈⠙⠛⠷⢦⣤⣀⡀
 0.5 ┤   ·         ⠈✦⠒⠢✦⡀      ·  ⠈⠉◆⠿⢶⣦⣄⣀·          ·          ·          ·
     │                  ⠈✦⠢⠤✦           ⠉⠛⠻⠷⣶⣤⣄⣀
     │                                       ⠈⠉⠛⠻⠷⣶⣤⣤⣀⡀
 0.2 ┤   ·          ·          ·       ✦⢄⣀·        ⠈⠉⠛⠻⠿⢷⣶⣤⣤◆⣀  ·          ·
     │                                    ✦⠑⠢✦⢄⣀✦         ⠉⠉⠛⠛⠿⠿⣶⣶⣤⣤⣀⣀⡀
 0.1 ┤   ·          ·          ·          ·      ⠉✦⠒⠤✦⢄⡀        · ⠉⠉⠛⠛⠻⠿⠿⣶⣶⣶
     │                                                 ⠈✦⠑⠒✦⠢✦⠤⣀✦⣀
     │ goal 0.05                                                  ⠉✦⠑⠒✦⠢✦⠤⣀✦
0.05 ┤⠉⠉⠉· ⠉⠉⠉  ⠉⠉⠉ ·⠉⠉⠉  ⠉⠉⠉  ⠉⠉⠉  ⠉⠉⠉  ⠉⠉⠉  ⠉⠉⠉  ⠉⠉⠉  ⠉⠉⠉  ⠉⠉⠉· ⠉⠉⠉  ⠉⠉⠉ ·⠉⠉⠉
     └───┬──────────┬──────────┬──────────┬──────────┬──────────┬──────────┬───
         0         1000       2000       3000       4000       5000       6000
                                        step
""",
    )


def test_trials_by_their_metaparameters():
    """Three outcomes differ without colours."""
    check(
        render(trials(), 64, 18).plain(),
        r"""
Batch size 64: 24 trials
1 - momentum                 ● complete   × infeasible   ★ best
    1 ┤·             ·        ●   ·             ·   ●        ·
      │                  ●                     ●
      │             ●                     ●
      │                               ●
  0.1 ┤·             ·           ●·             ·      ●    ●·
      │                                           ●
      │            ●                         ●
      │       ●                          ●
 0.01 ┤· ●           ·            ·             ·         ×  ·
      │                    ●                         ×
      │               ●
      │          ●                     ×
0.001 ┤·    ★        ·            ·×            ·            ·
      └┬─────────────┬────────────┬─────────────┬────────────┬─
      1e-4          1e-3         1e-2          1e-1          1
                            learning rate
""",
    )
