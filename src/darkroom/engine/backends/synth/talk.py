"""The sentences that podcasts are written from, by language: openings, points, replies, closings.

{t} is the topic, {q} the question in the caller's words, {k} one of its words, {a} who speaks and
{b} the other one. The sentences ask and weigh; they claim no facts, for templates know none.
"""

from __future__ import annotations

import msgspec

Pairs = tuple[tuple[str, str], ...]


class Talk(msgspec.Struct, frozen=True):
    """A language's sentences. Each pair is what one says and what the other answers."""

    opening: Pairs
    alone: Pairs
    debate: Pairs
    points: Pairs
    arguments: Pairs
    closing: Pairs
    verdict: Pairs
    this: str


ENGLISH = Talk(
    opening=(
        (
            "Welcome. I am {a}, and today we look at one question together: {q} We bring no "
            "expert, only a way to think it through.",
            "And I am {b}. Let us say what we know, what we suppose, and where one would look.",
        ),
        (
            "Hello, this is {a}. Somebody asked us: {q} That deserves a few quiet minutes.",
            "{b} here. I like it because everybody has an opinion on it, and few have checked.",
        ),
    ),
    alone=(
        (
            "Welcome. I am {a}, and today there is one question on the table: {q} I bring no "
            "expert, only a way to think it through.",
            "I will say what one can know, what one only supposes, and where one would look.",
        ),
    ),
    debate=(
        (
            "Welcome to the debate. The question is: {q} I am {a}, and I will speak for it.",
            "I am {b}, and I will speak against. Not because I must be right, but because a "
            "view that nobody tests is only a habit.",
        ),
    ),
    points=(
        (
            "Start with the words. When people say “{k}”, they do not all mean the same. Half "
            "of every quarrel about {t} is two people using one word for two things.",
            "So the first step is cheap: write down in a sentence what “{k}” means here, and "
            "what it does not. If that is hard, we have learned something already.",
        ),
        (
            "Then ask who is touched by {t}. Some win by it, some pay for it, and often they "
            "are not in the same room.",
            "A fair test: describe it as the person would who likes it least. If they would nod "
            "at our description, we understand it.",
        ),
        (
            "What would change our minds about {t}? If no observation could, then we do not "
            "hold an opinion, we hold a flag.",
            "I would look for a number that moved, or a place where it was tried. Something "
            "that could have turned out the other way.",
        ),
        (
            "There is a history behind “{k}”. Things are the way they are because somebody once "
            "had a problem, and this was the answer.",
            "Which makes me ask whether the problem is still there. Good answers outlive their "
            "questions all the time.",
        ),
        (
            "Think about size. Something that works for ten people can break for ten million, "
            "and with {t} I would ask early which of the two we mean.",
            "And about time. What looks dear in the first year may be cheap over twenty, and "
            "the other way round.",
        ),
        (
            "A common mistake is to see two things together and take one for the cause. With "
            "“{k}” that is tempting.",
            "The cure is an old one: ask what else happened at the same time, and what happened "
            "where it was missing.",
        ),
        (
            "Let us be practical. If somebody listening wanted to do one thing about {t} this "
            "week, what would be small enough to really happen?",
            "Ask one person who does it every day. An hour with them is worth an evening of "
            "reading, and it costs a cup of coffee.",
        ),
        (
            "And what do we not know? I could not tell you the newest figures on “{k}”, and I "
            "would rather say so than make them up.",
            "That is honest. The next step is a primary source, not another summary, and that "
            "includes this one.",
        ),
    ),
    arguments=(
        (
            "My first point begins with one word, “{k}”. People reach for what solves something "
            "for them, and before we find fault we owe them an answer to what they would do "
            "instead.",
            "That something is used does not make it good. It may only be the nearest thing at "
            "hand. I would compare it with the best there could be, not with nothing.",
        ),
        (
            "Second, we learn by doing. Waiting until everything about {t} is certain means "
            "leaving the learning to others.",
            "Some steps can be taken back, and some cannot. I am all for trying what can be "
            "undone. Show me the way back first.",
        ),
        (
            "Third, ask who gains. Behind the word “{k}” there are people, and a change helps "
            "those most who had the least before.",
            "Or it helps those who own the road there. Gains on average can hide losses where "
            "nobody counts. I want to see how they are shared.",
        ),
        (
            "The costs are real, I grant that. But costs fall with practice, and those of "
            "standing still are seldom written on any bill.",
            "Costs fall when somebody makes them fall. Until I see who that is and why they "
            "would, I count them in full.",
        ),
        (
            "Finally, every change of this kind frightened people, and most of them would not "
            "go back today.",
            "We remember the ones that worked, because we live in them. The others left no one "
            "to tell the story. That is no argument about {t}.",
        ),
    ),
    closing=(
        (
            "So, to close. We found no final answer to {t}, but a better question, which is "
            "most of the way.",
            "Define the words, ask who pays, look for what could prove you wrong. Thank you for "
            "listening.",
        ),
        (
            "Let me put it in one breath: say what “{k}” means, name who is touched by it, and "
            "check one thing yourself.",
            "If you do check it, you will know more than we do. Goodbye, and thank you.",
        ),
    ),
    verdict=(
        (
            "My last word: the case for it stands where it helps people who have no better way, "
            "and I concede that this must be shown and not assumed.",
            "Mine: I would say yes to a small trial with an honest measure, and no to a leap. "
            "On the measure, I think, we agree. Thank you for listening.",
        ),
    ),
    this="this question",
)

CHINESE = Talk(
    opening=(
        (
            "大家好，我是{a}。今天我们一起来想一个问题：{q}我们没有请专家，只想把思路理清楚。",
            "我是{b}。我们会说清楚哪些是知道的，哪些只是猜想，以及可以到哪里去查证。",
        ),
    ),
    alone=(
        (
            "大家好，我是{a}。今天只谈一个问题：{q}我不是专家，只想把思路理清楚。",
            "我会说清楚哪些是可以知道的，哪些只是猜想，以及可以到哪里去查证。",
        ),
    ),
    debate=(
        (
            "欢迎来到今天的辩论。题目是：{q}我是{a}，我站在正方。",
            "我是{b}，我站在反方。不是因为我一定对，而是没有经过检验的看法只是习惯。",
        ),
    ),
    points=(
        (
            "先从词说起。谈到“{k}”的时候，每个人心里想的并不一样。关于它的争论，有一半是词义之争。",
            "所以第一步很简单：用一句话写下它在这里是什么意思，不是什么意思。",
        ),
        (
            "再问一问，{k}影响到谁。有人受益，有人付出，而他们往往不在同一个房间里。",
            "一个公平的办法是：用最不喜欢它的人的话来描述它。如果他点头，我们才算懂了。",
        ),
        (
            "什么样的事实会让我们改变看法？如果没有，那我们拿着的不是观点，而是旗帜。",
            "我会找一个变化了的数字，或者一个已经试过的地方，结果本来也可能相反。",
        ),
        (
            "事情之所以是现在的样子，是因为曾经有人遇到了难题，这就是当时的答案。",
            "那么我要问：那个难题今天还在吗？好的答案常常比问题活得更久。",
        ),
        (
            "还要想一想规模。对十个人有用的办法，对一千万人也许就不行了。",
            "还有时间。第一年看起来很贵的，二十年算下来也许很便宜，反过来也一样。",
        ),
        (
            "常见的错误，是看到两件事一起出现，就把其中一件当成原因。",
            "办法很古老：问一问同时还发生了什么，没有它的地方又发生了什么。",
        ),
        (
            "说得实际一点。如果听众这个星期只想做一件小事，可以做什么？",
            "去问一个每天都在做这件事的人。和他聊一个小时，胜过读一个晚上。",
        ),
        (
            "我们还不知道什么？最新的数字我说不出来，我宁愿承认，也不愿编造。",
            "这是诚实的。下一步应该去看第一手的资料，而不是又一份总结，包括我们这一份。",
        ),
    ),
    arguments=(
        (
            "第一点，人们选择它，是因为它替他们解决了问题。批评之前，我们应该先说出更好的办法。",
            "有人用，并不等于好，也许只是离手边最近。我要拿它和最好的可能比，而不是和没有比。",
        ),
        (
            "第二点，我们在做中学。等到一切都确定，就把学习的机会留给了别人。",
            "有些步子可以收回来，有些不行。能收回的我都赞成试，先让我看到退路。",
        ),
        (
            "第三点，看看谁受益。事情变得容易的时候，帮助最大的是原来最缺的人。",
            "也可能是帮助了拥有这条路的人。平均数会遮住没有人去数的损失。",
        ),
        (
            "代价是有的，我承认。可是代价会随着经验下降，而停在原地的代价很少写在账单上。",
            "代价下降，是因为有人让它下降。在看到是谁、为什么之前，我按全额计算。",
        ),
        (
            "最后，每一次这样的变化都让人害怕过，而今天大多数人不愿意回去。",
            "我们记得的是成功的那些，因为我们就活在其中。这不能算是理由。",
        ),
    ),
    closing=(
        (
            "最后总结一下。我们没有找到最终的答案，但找到了更好的问题，这已经走了大半的路。",
            "说清词义，问谁付出，找能证明自己错了的事实。谢谢收听。",
        ),
    ),
    verdict=(
        (
            "我的结论是：在没有更好办法的地方，它站得住脚，不过这要证明，不能假定。",
            "我的结论是：小规模、有诚实衡量标准的尝试，我赞成；一步跨过去，我反对。谢谢收听。",
        ),
    ),
    this="这个问题",
)

TALKS = {"en": ENGLISH, "zh": CHINESE}
