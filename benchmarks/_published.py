"""Results that others published, to be printed beside ours. Protocols differ in small ways.

`SOURCES` says where each line was read. HR@10 is recall@10: one item is relevant.
"""

from __future__ import annotations

SOURCES = {
    "S3-Rec": "Zhou et al., CIKM 2020, and its repository",
    "transformer_benchmark": "github.com/blondered/transformer_benchmark",
    "gSASRec": "github.com/asash/gSASRec-pytorch",
    "recsys23": "github.com/antklen/sasrec-bert4rec-recsys23",
    "Mult-VAE": "Liang et al., WWW 2018",
    "EASE": "Steck, WWW 2019",
    "iALS": "Rendle et al., RecSys 2022",
    "measured": "counters without training, measured on the same files",
}

# data set: (how many users, items) by which a file is recognised, protocol, aim for ndcg@10
KNOWN = {
    "Beauty": ((22_363, 12_101), "leave-one-out", 0.066),
    "Sports": ((35_598, 18_357), "leave-one-out", 0.038),
    "Toys": ((19_412, 11_924), "leave-one-out", 0.076),
    "ml-1m": ((6_040, 3_416), "leave-one-out", 0.195),
}

# data set: (model, source, metric → value)
PUBLISHED: dict[str, list[tuple[str, str, dict[str, float]]]] = {
    "Beauty": [
        ("SASRec (S3-Rec)", "S3-Rec", {"recall@10": 0.0605, "ndcg@10": 0.0318}),
        ("HSTU", "transformer_benchmark", {"recall@10": 0.0788, "ndcg@10": 0.0439}),
        (
            "SASRec, sampled softmax",
            "transformer_benchmark",
            {"recall@10": 0.0921, "ndcg@10": 0.0531},
        ),
        ("eSASRec", "transformer_benchmark", {"recall@10": 0.0928, "ndcg@10": 0.0523}),
        ("Markov counter", "measured", {"recall@10": 0.0755, "ndcg@10": 0.0502}),
        ("decayed transitions", "measured", {"recall@10": 0.0932, "ndcg@10": 0.0593}),
    ],
    "Sports": [
        ("SASRec (S3-Rec)", "S3-Rec", {"recall@10": 0.0350, "ndcg@10": 0.0192}),
        ("HSTU", "transformer_benchmark", {"recall@10": 0.0437, "ndcg@10": 0.0243}),
        (
            "SASRec, sampled softmax",
            "transformer_benchmark",
            {"recall@10": 0.0569, "ndcg@10": 0.0314},
        ),
        ("eSASRec", "transformer_benchmark", {"recall@10": 0.0560, "ndcg@10": 0.0323}),
        ("Markov counter", "measured", {"recall@10": 0.0409, "ndcg@10": 0.0258}),
        ("decayed transitions", "measured", {"recall@10": 0.0542, "ndcg@10": 0.0336}),
    ],
    "Toys": [
        ("SASRec (S3-Rec)", "S3-Rec", {"recall@10": 0.0675, "ndcg@10": 0.0374}),
        ("HSTU", "transformer_benchmark", {"recall@10": 0.0778, "ndcg@10": 0.0450}),
        (
            "SASRec, sampled softmax",
            "transformer_benchmark",
            {"recall@10": 0.0970, "ndcg@10": 0.0580},
        ),
        ("eSASRec", "transformer_benchmark", {"recall@10": 0.0939, "ndcg@10": 0.0538}),
        ("Markov counter", "measured", {"recall@10": 0.0817, "ndcg@10": 0.0550}),
        ("decayed transitions", "measured", {"recall@10": 0.1065, "ndcg@10": 0.0690}),
    ],
    "ml-1m": [
        ("SASRec, BCE", "gSASRec", {"recall@10": 0.2392, "ndcg@10": 0.1259}),
        ("gSASRec", "gSASRec", {"recall@10": 0.3003, "ndcg@10": 0.1726}),
        ("SASRec, full cross-entropy", "recsys23", {"recall@10": 0.3152, "ndcg@10": 0.1821}),
        ("SASRec, 3,000 negatives", "recsys23", {"recall@10": 0.3159, "ndcg@10": 0.1857}),
        ("eSASRec", "transformer_benchmark", {"recall@10": 0.3133, "ndcg@10": 0.1772}),
        ("decayed transitions", "measured", {"recall@10": 0.2498, "ndcg@10": 0.1455}),
    ],
    "ML-20M": [
        ("Mult-VAE", "Mult-VAE", {"recall@20": 0.3954, "recall@50": 0.5354, "ndcg@100": 0.4259}),
        ("EASE", "EASE", {"recall@20": 0.391, "recall@50": 0.521, "ndcg@100": 0.420}),
        ("iALS", "iALS", {"recall@20": 0.395, "recall@50": 0.532, "ndcg@100": 0.425}),
    ],
}


def known_as(users: int, items: int, protocol: str) -> str:
    """The data set that a file of so many users and items is, for a protocol; empty if unknown."""
    for name, (size, used, _) in KNOWN.items():
        if used == protocol and size == (users, items):
            return name
    if protocol == "strong-generalisation" and 130_000 < users < 140_000 and items > 15_000:
        return "ML-20M"
    return ""
