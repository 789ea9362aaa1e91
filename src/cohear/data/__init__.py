"""Data: from files of sound and their labels to waveforms in a memory map.

`audio_files` opens one file, `audio_decoding` decodes it, `tables` and `annotations` read labels, `datasets` tells what
is in a folder, `folds` divides clips and keeps some back, `background` cuts those of 'none of these', `store` decodes
everything once. Nothing here needs torch.
"""
