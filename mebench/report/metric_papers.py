"""The papers that metrics come from, by family and key."""

from __future__ import annotations

BIBTEX = r"""@article{lin1989concordance,
  title   = {A Concordance Correlation Coefficient to Evaluate Reproducibility},
  author  = {Lin, Lawrence I-Kuei},
  journal = {Biometrics},
  volume  = {45},
  number  = {1},
  pages   = {255--268},
  year    = {1989},
  doi     = {10.2307/2532051}
}

@book{ekman1978facs,
  title     = {Facial Action Coding System: A Technique for the Measurement of Facial Movement},
  author    = {Ekman, Paul and Friesen, Wallace V.},
  publisher = {Consulting Psychologists Press},
  year      = {1978}
}

@inproceedings{farneback2003two,
  title     = {Two-Frame Motion Estimation Based on Polynomial Expansion},
  author    = {Farneb{\"a}ck, Gunnar},
  booktitle = {Scandinavian Conference on Image Analysis},
  pages     = {363--370},
  year      = {2003},
  doi       = {10.1007/3-540-45103-X_50}
}

@inproceedings{kroeger2016fast,
  title     = {Fast Optical Flow Using Dense Inverse Search},
  author    = {Kroeger, Till and Timofte, Radu and Dai, Dengxin and Van Gool, Luc},
  booktitle = {European Conference on Computer Vision},
  year      = {2016}
}

@article{baker2011database,
  title   = {A Database and Evaluation Methodology for Optical Flow},
  author  = {Baker, Simon and Scharstein, Daniel and Lewis, J. P. and Roth, Stefan
             and Black, Michael J. and Szeliski, Richard},
  journal = {International Journal of Computer Vision},
  volume  = {92},
  number  = {1},
  pages   = {1--31},
  year    = {2011},
  doi     = {10.1007/s11263-010-0390-2}
}

@article{wang2004image,
  title   = {Image Quality Assessment: From Error Visibility to Structural Similarity},
  author  = {Wang, Zhou and Bovik, Alan C. and Sheikh, Hamid R. and Simoncelli, Eero P.},
  journal = {IEEE Transactions on Image Processing},
  volume  = {13},
  number  = {4},
  pages   = {600--612},
  year    = {2004},
  doi     = {10.1109/TIP.2003.819861}
}

@inproceedings{zhang2018unreasonable,
  title     = {The Unreasonable Effectiveness of Deep Features as a Perceptual Metric},
  author    = {Zhang, Richard and Isola, Phillip and Efros, Alexei A. and Shechtman, Eli
               and Wang, Oliver},
  booktitle = {Proceedings of the IEEE Conference on Computer Vision and Pattern Recognition},
  pages     = {586--595},
  year      = {2018},
  doi       = {10.1109/CVPR.2018.00068}
}

@inproceedings{heusel2017gans,
  title     = {{GANs} Trained by a Two Time-Scale Update Rule Converge to a Local
               {Nash} Equilibrium},
  author    = {Heusel, Martin and Ramsauer, Hubert and Unterthiner, Thomas and Nessler, Bernhard
               and Hochreiter, Sepp},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {30},
  year      = {2017}
}

@inproceedings{binkowski2018demystifying,
  title     = {Demystifying {MMD} {GANs}},
  author    = {Bi{\'n}kowski, Miko{\l}aj and Sutherland, Danica J. and Arbel, Michael
               and Gretton, Arthur},
  booktitle = {International Conference on Learning Representations},
  year      = {2018}
}

@article{unterthiner2018towards,
  title   = {Towards Accurate Generative Models of Video: A New Metric \& Challenges},
  author  = {Unterthiner, Thomas and van Steenkiste, Sjoerd and Kurach, Karol
             and Marinier, Rapha{\"e}l and Michalski, Marcin and Gelly, Sylvain},
  journal = {arXiv preprint arXiv:1812.01717},
  year    = {2018}
}

@article{king2009dlib,
  title   = {Dlib-ml: A Machine Learning Toolkit},
  author  = {King, Davis E.},
  journal = {Journal of Machine Learning Research},
  volume  = {10},
  pages   = {1755--1758},
  year    = {2009}
}

@inproceedings{siarohin2019first,
  title     = {First Order Motion Model for Image Animation},
  author    = {Siarohin, Aliaksandr and Lathuili{\`e}re, St{\'e}phane and Tulyakov, Sergey
               and Ricci, Elisa and Sebe, Nicu},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {32},
  year      = {2019}
}

@inproceedings{see2019megc,
  title     = {{MEGC} 2019 -- The Second Facial Micro-Expressions Grand Challenge},
  author    = {See, John and Yap, Moi Hoon and Li, Jingting and Hong, Xiaopeng
               and Wang, Su-Jing},
  booktitle = {IEEE International Conference on Automatic Face and Gesture Recognition (FG)},
  year      = {2019},
  doi       = {10.1109/FG.2019.8756611}
}

@inproceedings{yap2018megc,
  title     = {Facial Micro-Expressions Grand Challenge 2018 Summary},
  author    = {Yap, Moi Hoon and See, John and Hong, Xiaopeng and Wang, Su-Jing},
  booktitle = {IEEE International Conference on Automatic Face and Gesture Recognition (FG)},
  pages     = {675--678},
  year      = {2018},
  doi       = {10.1109/FG.2018.00106}
}

@inproceedings{baltrusaitis2018openface,
  title     = {{OpenFace} 2.0: Facial Behavior Analysis Toolkit},
  author    = {Baltru{\v{s}}aitis, Tadas and Zadeh, Amir and Lim, Yao Chong
               and Morency, Louis-Philippe},
  booktitle = {IEEE International Conference on Automatic Face and Gesture Recognition (FG)},
  pages     = {59--66},
  year      = {2018},
  doi       = {10.1109/FG.2018.00019}
}

@article{cheong2023pyfeat,
  title   = {{Py-Feat}: Python Facial Expression Analysis Toolbox},
  author  = {Cheong, Jin Hyun and Jolly, Eshin and Xie, Tiankang and Byrne, Sophie
             and Kenney, Matthew and Chang, Luke J.},
  journal = {Affective Science},
  volume  = {4},
  pages   = {781--796},
  year    = {2023},
  doi     = {10.1007/s42761-023-00191-4}
}"""

COMPOSITES = {"megc2018": "yap2018megc", "megc2019": "see2019megc"}
"""The paper of each composite."""

_FAMILIES = {
    "action_units": ("lin1989concordance", "ekman1978facs", "~flow"),
    "motion": ("baker2011database", "~flow"),
    "temporal": ("~flow",),
    "identity": ("king2009dlib", "siarohin2019first"),
    "landmarks": ("siarohin2019first",),
    "motion_distribution": ("heusel2017gans", "unterthiner2018towards", "~flow"),
    "recognition": ("see2019megc", "~flow"),
    "perceptual": ("zhang2018unreasonable",),
    "perceptual_vgg": ("zhang2018unreasonable",),
    "perceptual_squeeze": ("zhang2018unreasonable",),
    "openface": ("baltrusaitis2018openface", "lin1989concordance"),
    "pyfeat": ("cheong2023pyfeat", "lin1989concordance"),
}
_KEYS = {
    "ssim": ("wang2004image",),
    "fid": ("heusel2017gans",),
    "kid": ("binkowski2018demystifying",),
}
"""Papers of families whose keys have papers of their own, by the keys' first word."""


def papers_of(family: str, key: str) -> tuple[str, ...]:
    """Return the keys in `BIBTEX` of the papers that a metric comes from.

    >>> papers_of("motion", "flow_epe_px~dis")
    ('baker2011database', 'kroeger2016fast')
    """
    word = key.partition("~")[0].partition("_")[0]
    found: tuple[str, ...] = _FAMILIES[family] if family in _FAMILIES else _KEYS.get(word, ())
    flow = "kroeger2016fast" if key.endswith("~dis") else "farneback2003two"
    return tuple(flow if paper == "~flow" else paper for paper in found)
