"""`cohear crossval`: one model on every fold."""

from pathlib import Path

from cohear.cli import options
from cohear.cli.progress import say


def crossval(
    data: options.Data = None,
    method: options.Method = "consistency",
    transform: options.Transform = None,
    preset: options.Preset = None,
    settings: options.Settings = None,
    seed: options.Seed = 0,
    out: options.Out = Path("runs"),
    jobs: options.Jobs = 1,
    validation: options.Validation = None,
    balance: options.Balance = "none",
    patience: options.Patience = None,
    on_nonfinite: options.OnNonfinite = "stop",
    background: options.Background = None,
    init: options.Init = None,
    track: options.Track = "every",
    sounds: options.Sounds = None,
    esc10: options.Esc10 = False,
    skip_bad: options.SkipBad = False,
    drop_small: options.DropSmall = 0,
    list_settings: options.ListSettings = False,
) -> None:
    """Train once per fold and average: mean accuracy with its standard error.

    Finished runs are kept, an unfinished one goes on.

    cohear crossval my_sounds/ --method bda --jobs 2
    """
    from cohear.cli.grids import run_requests
    from cohear.cli.preparing import prepare, refuse_early, refuse_too_large
    from cohear.experiments.build import read_folds
    from cohear.experiments.folder_claims import check_parent
    from cohear.experiments.paper import PaperModel, model_name
    from cohear.experiments.plans import plan_requests
    from cohear.experiments.presets import change
    from cohear.experiments.settling import settle

    options.require_data(data, list_settings)
    set_names = options.set_names(settings, {"preset": "--preset", "fold": "`cohear train --fold` for one fold"})
    track = options.check_track(track)
    config = options.resolve(
        method=method,
        transform=transform,
        preset=preset,
        settings=settings,
        sounds=sounds,
        esc10=esc10,
        skip_bad=skip_bad,
        drop_small=drop_small,
        seed=seed,
        validation=validation,
        balance=balance,
        patience=patience,
        on_nonfinite=on_nonfinite,
        background=background,
        init=init,
    )
    if list_settings or data is None:
        options.print_settings(config)
        return
    model = PaperModel(model_name(config), config.method, config.views.transform)
    config, said = settle(data, config, set_names)
    for line in said:
        say(line)
    dataset = read_folds(data, config)
    refuse_early(dataset, [change(config, {"fold": dataset.folds[0]})])
    planned = plan_requests(data, config, [model], dataset.folds, [config.seed], track)
    refuse_too_large(dataset, planned, out, jobs)
    check_parent(out)
    prepared = prepare(data, config)
    requests = plan_requests(data, config, [model], prepared.folds, [config.seed], track)
    run_requests(requests, prepared, out, jobs)
